package node

import "golang.org/x/sys/unix"

// stat is how much room a file takes.
type stat struct{ blocks int64 }

func (s *stat) of(p string) error {
	var st unix.Stat_t
	err := unix.Stat(p, &st)
	s.blocks = st.Blocks * 512
	return err
}
