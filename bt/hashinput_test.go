package bt

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestHashInput(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "file")
	data := randomBytes(5<<20 + 12345) // more than is mapped at once
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	in := hashInput{opened: -1}
	defer in.close()
	if opened, err := in.open(0, name); !opened || err != nil {
		t.Fatal(opened, err)
	}
	for _, part := range [][2]int64{{0, 5<<20 + 12345}, {1, 100_000}, {4097, 5 << 20}, {70_000, 1}, {5 << 20, 12345}, {12345, 0}} {
		var got []byte
		err := in.each(t.Context(), part[0], part[1], func(b []byte) { got = append(got, b...) })
		if err != nil || !bytes.Equal(got, data[part[0]:part[0]+part[1]]) {
			t.Errorf("%d bytes at %d: %d came, %v", part[1], part[0], len(got), err)
		}
	}
	if err := in.each(t.Context(), 5<<20, 100_000, func([]byte) {}); !errors.Is(err, errChanged) {
		t.Errorf("beyond the end: %v", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	if err := in.each(canceled, 0, 5<<20, func([]byte) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// A file that is cut while it is hashed, even in the middle of a hash, is an error and no crash.
func TestHashInputCut(t *testing.T) {
	t.Parallel()
	for what, sum := range map[string]func([]byte){
		"sha1":   func(b []byte) { sha1.Sum(b) },
		"sha256": func(b []byte) { sha256.Sum256(b) },
		"read":   func(b []byte) { _ = bytes.Count(b, []byte{1}) },
	} {
		name := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(name, randomBytes(3<<20), 0o644); err != nil {
			t.Fatal(err)
		}
		in := hashInput{opened: -1}
		if _, err := in.open(0, name); err != nil {
			t.Fatal(err)
		}
		first := true
		err := in.each(t.Context(), 0, 3<<20, func(b []byte) {
			if first {
				first = false
				if err := os.Truncate(name, 100_000); err != nil {
					t.Error(err)
				}
			}
			sum(b)
		})
		if !errors.Is(err, errChanged) {
			t.Errorf("%s: %v", what, err)
		}
		in.close()
	}
}

// A panic that is no fault of the file is not hidden.
func TestHashInputPanics(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, randomBytes(1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	in := hashInput{opened: -1}
	defer in.close()
	if _, err := in.open(0, name); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if v := recover(); v != "mine" {
			t.Errorf("recovered %v", v)
		}
	}()
	_ = in.each(t.Context(), 0, 1<<20, func([]byte) { panic("mine") })
}
