package bt

import (
	"errors"
	"testing"

	"go.uber.org/goleak"
)

// After Close nothing is left of meetings, whichever end is closed first, and in whatever state they are.
func TestMeetLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	for i := range 4 {
		a, b := discreet(t), discreet(t)
		mb, atB := meeting(t, b, MeetOptions{})
		ma, atA := meeting(t, a, MeetOptions{Peers: []string{b.Addr().String(), "127.0.0.1:1"}})
		if i > 0 {
			within(t, "a connection", atA)
			within(t, "a connection", atB).Accept()
		}
		if i > 1 {
			ma.Close()
			mb.Close()
		}
		if i > 2 {
			ma, _ = meeting(t, a, MeetOptions{Peers: []string{b.Addr().String()}})
		}
		if err := errors.Join(a.Close(), b.Close(), ma.Close(), mb.Close()); err != nil {
			t.Error(err)
		}
		if n := doorsLeft(a) + doorsLeft(b); n != 0 {
			t.Errorf("%d doors are left", n)
		}
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

func doorsLeft(c *Client) (n int) {
	count := func(any, any) bool { n++; return true }
	c.doors.Range(count)
	c.keepers.Range(count)
	return n
}
