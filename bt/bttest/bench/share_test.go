package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Every row runs with shoal, and the first with what else is installed.
func TestShareRows(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds shoal and runs it")
	}
	path := filepath.Join(t.TempDir(), "shoal")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "shoal/cmd/shoal").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b := &shareBench{shoal: path, dir: t.TempDir(), runs: 1, timeout: time.Minute, amounts: quickAmounts}
	if err := b.all(t.Context(), installedPrograms(path, []string{"shoal"}), "large,new,many,million"); err != nil {
		t.Error(err)
	}
	if err := b.all(t.Context(), installedPrograms(path, []string{"shoal", "syncthing", "rsync"}), "files"); err != nil {
		t.Error(err)
	}
}

func TestTreeIsWaitedFor(t *testing.T) {
	a, b, small := t.TempDir(), t.TempDir(), tree{files: perFolder + 1, size: 10}
	if err := small.write(a); err != nil {
		t.Fatal(err)
	}
	if err := (tree{files: perFolder, size: 10}).write(b); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := small.wait(ended, a); err != nil {
		t.Error("all is there:", err)
	}
	if err := small.wait(ended, b); err == nil {
		t.Error("a file that is missing is not waited for")
	}
	if err := small.same(a, b); err == nil {
		t.Error("a file that is missing is not noticed")
	}
	if err := (tree{files: perFolder, size: 10}).same(a, b); err != nil {
		t.Error(err)
	}
	if _, err := turnByte(small.path(b, 7), 9); err != nil {
		t.Fatal(err)
	}
	if err := (tree{files: perFolder, size: 10}).same(a, b); err == nil {
		t.Error("a wrong byte is not noticed")
	}
}
