package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"time"

	"shoal/bt/bttest"
)

// await is the program "await COMMAND [ARG]..." of the scripts: it runs the command again and again until that ends with
// status 0, and prints what that run printed. When that has not come within bttest.Patience it prints what the last one did,
// and its status is 1: a script in which something does not happen fails, and says what.
func await() {
	for deadline := time.Now().Add(bttest.Patience); ; time.Sleep(20 * time.Millisecond) {
		var stdout, stderr bytes.Buffer
		cmd := exec.Command(os.Args[1], os.Args[2:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, &stdout, &stderr
		err := cmd.Run()
		if err != nil && time.Now().Before(deadline) {
			continue
		}
		os.Stdout.Write(stdout.Bytes())
		os.Stderr.Write(stderr.Bytes())
		if err != nil {
			fmt.Fprintf(os.Stderr, "await: %q did not succeed within %v: %v\n", os.Args[1:], bttest.Patience, err)
			os.Exit(1)
		}
		return
	}
}
