package memfs

import (
	"math/rand/v2"
	"testing"

	"shoal/share/disk"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, f *FS, name, data string, sync bool) {
	t.Helper()
	file, err := f.Create(name)
	must(t, err)
	_, err = file.WriteAt([]byte(data), 0)
	must(t, err)
	if sync {
		must(t, file.Sync())
	}
	must(t, file.Close())
}

// TestCrash counts what power cuts leave: what was synced always, anything between of the rest, and what needs something
// never without it.
func TestCrash(t *testing.T) {
	t.Parallel()
	outcomes := map[string]int{}
	for seed := range uint64(500) {
		f := New(Options{})
		must(t, f.Mkdir("kept", 0o755))
		write(t, f, "kept/a", "synced", true)
		must(t, f.SyncDir("kept"))
		must(t, f.SyncDir("."))
		write(t, f, "loose", "not synced", false)
		must(t, f.Mkdir("new", 0o755))
		must(t, f.RenameNew("kept/a", "new/a"))
		f.Crash(rand.New(rand.NewPCG(seed, 0)))
		names, got := map[string]string{}, ""
		f.Walk(func(name string, info disk.Info, data []byte) {
			names[name] = string(data)
			got += name + "=" + string(data) + " "
		})
		outcomes[got]++
		_, before := names["kept/a"]
		_, after := names["new/a"]
		if before == after {
			t.Fatalf("a rename was torn: %s", got)
		}
		if names["kept/a"]+names["new/a"] != "synced" {
			t.Fatalf("what was synced is lost: %s", got)
		}
	}
	for _, want := range []string{"kept= kept/a=synced ", "kept= loose=not synced new= new/a=synced ", "kept= kept/a=synced loose= "} {
		if outcomes[want] == 0 {
			t.Errorf("never: %s", want)
		}
	}
	if len(outcomes) < 10 {
		t.Errorf("only %d outcomes", len(outcomes))
	}
}

// TestCrashIsReplayed: one seed, one outcome.
func TestCrashIsReplayed(t *testing.T) {
	t.Parallel()
	tell := func(seed uint64) (told string) {
		f := New(Options{})
		for _, name := range []string{"a", "b", "c", "d"} {
			write(t, f, name, "content of "+name, false)
		}
		f.Crash(rand.New(rand.NewPCG(seed, 1)))
		f.Walk(func(name string, _ disk.Info, data []byte) { told += name + "=" + string(data) + "\n" })
		return told
	}
	for seed := range uint64(50) {
		if a, b := tell(seed), tell(seed); a != b {
			t.Fatalf("seed %d: %q and %q", seed, a, b)
		}
	}
}

func TestOpenFilesDieWithThePower(t *testing.T) {
	t.Parallel()
	f := New(Options{})
	write(t, f, "a", "1", true)
	must(t, f.SyncAll("."))
	file, err := f.Write("a")
	must(t, err)
	f.Crash(rand.New(rand.NewPCG(1, 1)))
	if _, err := file.WriteAt([]byte("2"), 0); err == nil {
		t.Error("a file is open across a power cut")
	}
}

func TestDevices(t *testing.T) {
	t.Parallel()
	f := New(Options{})
	must(t, f.Mkdir("m", 0o755))
	must(t, f.Mount("m"))
	write(t, f, "m/a", "1", true)
	top, _ := f.Lstat(".")
	in, err := f.Lstat("m/a")
	must(t, err)
	if top.Ident.Dev == in.Ident.Dev {
		t.Error("one device")
	}
	if err := f.RenameNew("m/a", "a"); err == nil {
		t.Error("renamed across devices")
	}
	device, err := f.Unmount("m")
	must(t, err)
	if names, err := f.ReadDir("m"); err != nil || len(names) != 0 {
		t.Errorf("%q, %v", names, err)
	}
	must(t, f.Remount("m", device))
	if _, err := f.Lstat("m/a"); err != nil {
		t.Error(err)
	}
}
