package bttest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Step is a system call that changes files: a process that is killed just before each of them in turn has been killed in
// every state that it ever leaves on a disk.
type Step struct{ Call, Path string }

func (s Step) String() string { return s.Call + " " + s.Path }

// stepCalls are the system calls that are steps, by number. What opens a file is none: nobody can tell a file that was made
// from one that was not before there is something else to do.
func stepCalls() map[uint32]call {
	all := olderCalls()
	maps.Copy(all, map[uint32]call{
		unix.SYS_WRITE: {"write", fdArg}, unix.SYS_PWRITE64: {"pwrite64", fdArg}, unix.SYS_WRITEV: {"writev", fdArg},
		unix.SYS_FTRUNCATE: {"ftruncate", fdArg}, unix.SYS_FALLOCATE: {"fallocate", fdArg},
		unix.SYS_COPY_FILE_RANGE: {"copy_file_range", thirdFdArg},
		unix.SYS_FSYNC:           {"fsync", fdArg}, unix.SYS_FDATASYNC: {"fdatasync", fdArg}, unix.SYS_SYNCFS: {"syncfs", fdArg},
		unix.SYS_FCHMOD: {"fchmod", fdArg}, unix.SYS_FCHMODAT: {"fchmodat", atArg}, unix.SYS_UTIMENSAT: {"utimensat", atArg},
		unix.SYS_MKDIRAT: {"mkdirat", atArg}, unix.SYS_UNLINKAT: {"unlinkat", atArg}, unix.SYS_SYMLINKAT: {"symlinkat", secondAtArg},
		unix.SYS_LINKAT: {"linkat", thirdAtArg}, unix.SYS_RENAMEAT: {"renameat", thirdAtArg}, unix.SYS_RENAMEAT2: {"renameat2", thirdAtArg},
	})
	return all
}

// A call is its name, and where among its arguments it says what it changes.
type call struct {
	name string
	what func(pid int, args [6]uint64) string
}

func fdArg(pid int, a [6]uint64) string       { return fdPath(pid, int32(a[0])) }
func thirdFdArg(pid int, a [6]uint64) string  { return fdPath(pid, int32(a[2])) }
func atArg(pid int, a [6]uint64) string       { return atPath(pid, int32(a[0]), a[1]) }
func secondAtArg(pid int, a [6]uint64) string { return atPath(pid, int32(a[1]), a[2]) }
func thirdAtArg(pid int, a [6]uint64) string  { return atPath(pid, int32(a[2]), a[3]) }

func fdPath(pid int, fd int32) string {
	link := fmt.Sprintf("/proc/%d/fd/%d", pid, fd)
	if fd == unix.AT_FDCWD {
		link = fmt.Sprintf("/proc/%d/cwd", pid)
	}
	p, _ := os.Readlink(link)
	return p
}

func atPath(pid int, fd int32, at uint64) string {
	var p string
	if at != 0 {
		p = stringAt(pid, at)
	}
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(fdPath(pid, fd), p)
}

// stringAt reads a string of a process.
func stringAt(pid int, at uint64) string {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return ""
	}
	defer mem.Close()
	b := make([]byte, unix.PathMax)
	n, _ := mem.ReadAt(b, int64(at)) // up to the end of a mapping
	b, _, _ = bytes.Cut(b[:n], []byte{0})
	return string(b)
}

const steppedVar = "SHOAL_BTTEST_STEPPED"

// A process that is to be stepped through starts as this program, which has the kernel report its steps, and becomes the
// other. It cannot be done between fork and exec by Go; here only one thread counts, to which main is bound meanwhile.
func init() {
	if os.Getenv(steppedVar) == "" {
		return
	}
	os.Unsetenv(steppedVar)
	err := reportSteps()
	if err == nil {
		err = syscall.Exec(os.Args[0], os.Args, os.Environ())
	}
	panic(err)
}

// reportSteps installs a filter of system calls that stops this process for its tracer at each that is a step.
func reportSteps() error {
	load := unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS} // the number of the call
	prog := []unix.SockFilter{load}
	for nr := range stepCalls() {
		prog = append(prog,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: nr},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_TRACE})
	}
	prog = append(prog, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("giving up privileges: %w", err)
	}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&fprog)), 0, 0); err != nil {
		return fmt.Errorf("filtering system calls: %w", err)
	}
	return nil
}

// A Stepped is a program whose steps in some folders are counted, over all its threads, in the order in which the kernel
// gets them. strace does the like, but counts each thread for itself.
type Stepped struct {
	Args   []string // the program, by its path, and its arguments
	Env    []string
	Output *os.File
	In     []string // the folders, by their real paths
	DieAt  int      // SIGKILL comes instead of this step, from 1; 0 = never
}

// Run runs it to its end, and returns the steps; the last one was not done when it was killed. The error is that of
// tracing; status is -1 when it was killed.
func (s *Stepped) Run() (steps []Step, status int, err error) {
	runtime.LockOSThread() // the tracer is a thread
	defer runtime.UnlockOSThread()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, 0, err
	}
	defer null.Close()
	p, err := os.StartProcess("/proc/self/exe", s.Args, &os.ProcAttr{
		Env: append(s.Env, steppedVar+"=1"), Files: []*os.File{null, s.Output, s.Output}, Sys: &syscall.SysProcAttr{Ptrace: true, Setpgid: true},
	})
	if err != nil {
		return nil, 0, err
	}
	t := &tracer{Stepped: s, pid: p.Pid, known: map[int]bool{p.Pid: true}, calls: stepCalls()}
	defer func() {
		_ = p.Release()
		if err != nil {
			_ = syscall.Kill(-t.pid, syscall.SIGKILL)
		}
	}()
	status, err = t.run()
	return t.steps, status, err
}

type tracer struct {
	*Stepped
	pid   int
	known map[int]bool // threads that have been seen
	calls map[uint32]call
	steps []Step
}

func (t *tracer) run() (status int, err error) {
	var ws unix.WaitStatus
	if _, err := unix.Wait4(t.pid, &ws, 0, nil); err != nil {
		return 0, fmt.Errorf("waiting for the program: %w", err)
	}
	const options = unix.PTRACE_O_EXITKILL | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK |
		unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACESECCOMP
	if err := unix.PtraceSetOptions(t.pid, options); err != nil {
		return 0, fmt.Errorf("tracing the program: %w", err)
	}
	_ = unix.PtraceCont(t.pid, 0)
	for {
		tid, err := unix.Wait4(-t.pid, &ws, unix.WALL|unix.WNOTHREAD, nil) // its group: this thread may have other children
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECHILD):
			return status, nil
		case err != nil:
			return 0, err
		}
		switch {
		case tid == t.pid && ws.Exited():
			status = ws.ExitStatus()
		case tid == t.pid && ws.Signaled():
			status = -1
		case ws.Stopped():
			if err := t.stopped(tid, ws); err != nil {
				return 0, err
			}
		}
	}
}

// stopped lets a thread go on, or kills all of them.
func (t *tracer) stopped(tid int, ws unix.WaitStatus) error {
	sig := 0
	switch {
	case ws.StopSignal() == unix.SIGTRAP && ws.TrapCause() == unix.PTRACE_EVENT_SECCOMP:
		if err := t.step(tid); err != nil {
			return err
		}
	case ws.StopSignal() == unix.SIGTRAP: // another event
	case ws.StopSignal() == unix.SIGSTOP && !t.known[tid]: // how a new thread begins
	default:
		sig = int(ws.StopSignal())
	}
	t.known[tid] = true
	if err := unix.PtraceCont(tid, sig); err != nil && !errors.Is(err, unix.ESRCH) { // it was killed
		return fmt.Errorf("tracing the program: %w", err)
	}
	return nil
}

func (t *tracer) step(tid int) error {
	const getInfo = 0x420e // PTRACE_GET_SYSCALL_INFO
	var info [88]byte
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, getInfo, uintptr(tid), uintptr(len(info)), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno == unix.ESRCH {
		return nil
	}
	if errno != 0 {
		return fmt.Errorf("asking for a system call: %w", errno)
	}
	var args [6]uint64
	for i := range args {
		args[i] = binary.NativeEndian.Uint64(info[32+8*i:])
	}
	c := t.calls[uint32(binary.NativeEndian.Uint64(info[24:]))]
	if c.what == nil {
		return nil
	}
	path := c.what(tid, args)
	if !t.counts(path) {
		return nil
	}
	t.steps = append(t.steps, Step{c.name, path})
	if len(t.steps) == t.DieAt {
		return unix.Kill(t.pid, unix.SIGKILL)
	}
	return nil
}

func (t *tracer) counts(path string) bool {
	for _, dir := range t.In {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	return false
}

// CanStep skips the test where programs cannot be traced.
func CanStep(t T) {
	t.Helper()
	s := Stepped{Args: []string{"/bin/true"}, Env: os.Environ()}
	if _, _, err := s.Run(); err != nil {
		missing(t, "tracing a program: %v", err)
	}
}
