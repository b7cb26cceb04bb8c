package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"shoal/bt/bttest"
)

// converse is the program of the scripts that has conversations of git-annex recorded, and plays them: what git-annex says
// begins with "< ", what is answered with "> ", and each process with "== " and its arguments. ${NAME} is that of the
// environment.
//
//	converse record FILE PROGRAM [ARG]...    is the program, and appends what is said to FILE, by lines, but how far it is
//	converse recordbytes FILE PROGRAM [ARG]...    the same, by quoted pieces
//	converse play FILE PROGRAM    talks to the program as the one that was recorded, and wants the same answers
//	converse relay FILE SOCKET PROGRAM [ARG]...    plays both ends: the program, and who is at the other end of SOCKET
func converse() {
	if len(os.Args) < 4 {
		fatal("usage: converse record|recordbytes|play|relay FILE ...")
	}
	time.AfterFunc(bttest.Patience, func() { fatal("it hangs") })
	what, file, args := os.Args[1], os.Args[2], os.Args[3:]
	switch what {
	case "record", "recordbytes":
		os.Exit(record(file, args, what == "recordbytes"))
	case "play", "relay":
		text, err := os.ReadFile(file)
		if err != nil {
			fatal("%v", err)
		}
		for _, section := range strings.Split("\n"+string(text), "\n== ")[1:] {
			head, lines, _ := strings.Cut(section, "\n")
			if what == "play" {
				play(args[0], strings.Fields(head), lines)
			} else {
				relay(args[0], args[1:], lines)
			}
		}
	}
}

func fatal(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "converse: "+format+"\n", args...)
	os.Exit(1)
}

// passing says what of a conversation depends on the time it takes.
func passing(line string) bool {
	f := strings.Fields(line)
	if len(f) > 2 && f[0] == "J" {
		f = f[2:]
	}
	return len(f) > 0 && (f[0] == "PROGRESS" || f[0] == "DEBUG")
}

// begin starts a program that is talked to.
func begin(args []string) (*exec.Cmd, io.WriteCloser, io.ReadCloser) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err != nil || outErr != nil || cmd.Start() != nil {
		fatal("starting %s", args[0])
	}
	return cmd, in, out
}

// record runs a program, and notes what is said to it and what it says.
func record(file string, args []string, pieces bool) int {
	cmd, in, out := begin(args)
	var mu sync.Mutex
	said := bytes.NewBufferString("== " + strings.Join(args[1:], " ") + "\n")
	pass := func(mark string, from io.Reader, to io.Writer) {
		r, buf := bufio.NewReaderSize(from, 1<<20), make([]byte, 1<<20)
		for {
			var piece []byte
			var err error
			if pieces {
				var n int
				n, err = r.Read(buf)
				piece = buf[:n]
			} else {
				piece, err = r.ReadSlice('\n')
			}
			mu.Lock()
			switch line := strings.TrimSuffix(string(piece), "\n"); {
			case len(piece) == 0 || !pieces && passing(line):
			case pieces:
				fmt.Fprintf(said, "%s%s\n", mark, strconv.QuoteToASCII(string(piece)))
			default:
				fmt.Fprintf(said, "%s%s\n", mark, line)
			}
			_, werr := to.Write(piece)
			mu.Unlock()
			if err != nil || werr != nil {
				return
			}
		}
	}
	go func() {
		pass("< ", os.Stdin, in)
		in.Close()
	}()
	pass("> ", out, os.Stdout)
	_ = cmd.Wait()
	mu.Lock()
	defer mu.Unlock()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		fatal("%v", err)
	}
	defer f.Close()
	if _, err := f.Write(said.Bytes()); err != nil {
		fatal("%v", err)
	}
	return cmd.ProcessState.ExitCode()
}

// play talks to a program, and ends it.
func play(program string, args []string, lines string) {
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err != nil || outErr != nil || cmd.Start() != nil {
		fatal("starting %s", program)
	}
	answers := bufio.NewReader(out)
	for line := range strings.Lines(os.ExpandEnv(lines)) {
		line = strings.TrimSuffix(line, "\n")
		if said, ok := strings.CutPrefix(line, "< "); ok {
			if _, err := io.WriteString(in, said+"\n"); err != nil {
				fatal("saying %q: %v", said, err)
			}
			continue
		}
		want := strings.TrimPrefix(line, "> ")
		got, err := "", error(nil)
		for got == "" || passing(got) {
			if got, err = answers.ReadString('\n'); err != nil {
				fatal("%q comes, and then %v, where this was recorded:\n%s", got, err, want)
			}
			got = strings.TrimSuffix(got, "\n")
		}
		if got != want {
			fatal("it says\n%s\nwhere this was recorded:\n%s", got, want)
		}
	}
	in.Close()
	rest, _ := io.ReadAll(answers)
	if err := cmd.Wait(); err != nil || len(rest) > 0 {
		fatal("it ends by %v, saying %q", err, rest)
	}
}

// relay plays a conversation through a program to whoever that finds, who connects it with the socket.
func relay(socket string, args []string, lines string) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		fatal("%v", err)
	}
	defer l.Close()
	cmd, in, out := begin(args)
	conn, err := l.Accept()
	if err != nil {
		fatal("%v", err)
	}
	for line := range strings.Lines(lines) {
		piece, err := strconv.Unquote(strings.TrimSuffix(line[2:], "\n"))
		if err != nil {
			fatal("%q: %v", line, err)
		}
		from, to := io.Reader(conn), io.Writer(in)
		if line[0] == '>' {
			from, to = out, conn
		}
		go io.WriteString(to, piece)
		got := make([]byte, len(piece))
		if _, err := io.ReadFull(from, got); err != nil || string(got) != piece {
			fatal("%q arrives as %q, %v", piece, got, err)
		}
	}
	conn.Close()
	rest, _ := io.ReadAll(out)
	if err := cmd.Wait(); err != nil || len(rest) > 0 {
		fatal("it ends by %v, saying %q", err, rest)
	}
}
