package keystore

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"shoal/bt"
	"shoal/share/api"
)

// fake is a node with one share.
type fake struct {
	api.Shares
	info api.ShareInfo

	mu       sync.Mutex      // guards what follows
	files    map[string]bool // in the share: whether this node believes that they are here
	tree     []api.FileInfo  // what all of it is
	listed   bool            // it has met others
	promises int
	freed    []string
	ended    int // so many calls find that the node has ended
	open     int
	opened   int
	news     func()                          // what a sync brings
	get      func(path, out string) error    // what others have
	progress func(ctx context.Context) error // while it comes
}

func (f *fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open--
	return nil
}

func (f *fake) List(context.Context) ([]api.ShareInfo, error) {
	return []api.ShareInfo{{Name: "other", ID: strings.Repeat("ab", 32), Role: "admin", Dir: "/none"}, f.info}, nil
}

func (f *fake) Ls(_ context.Context, _, path string) ([]api.FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended > 0 {
		f.ended--
		return nil, api.ErrEnded
	}
	if path == "" {
		return f.tree, nil
	}
	here, ok := f.files[path]
	if !ok {
		return nil, api.Errorf(bt.NotFound, "there is no %s", path)
	}
	return []api.FileInfo{{Path: path, Type: "file", Present: here}}, nil
}

func (f *fake) Members(context.Context, string) ([]api.MemberInfo, error) {
	return []api.MemberInfo{{Self: true}, {Listed: f.listed}}, nil
}

func (f *fake) Promised(_ context.Context, _, path string, copies int) (*api.Promise, error) {
	if copies > f.promises {
		return nil, api.Errorf(api.Held, "too few promise to keep %s", path)
	}
	return &api.Promise{Copies: copies}, nil
}

func (f *fake) Sync(context.Context, api.SyncOptions) ([]api.SyncResult, error) {
	if f.news == nil {
		return []api.SyncResult{{Code: string(bt.NoPeers), Message: "nobody came"}}, nil
	}
	f.news()
	return []api.SyncResult{{Code: string(bt.OK)}}, nil
}

func (f *fake) Get(ctx context.Context, _ string, paths []string, out string) ([]api.FileInfo, error) {
	if f.progress != nil {
		if err := f.progress(ctx); err != nil {
			return nil, err
		}
	}
	return nil, f.get(paths[0], out)
}

// storeOf is a store in the share of a fake.
func storeOf(t *testing.T, change func(o *Options, f *fake)) (*Store, *fake) {
	t.Helper()
	dir, _ := marked(t)
	f := &fake{info: api.ShareInfo{Name: "keys", ID: shareID, Role: "admin", Dir: dir}, files: map[string]bool{}, listed: true}
	o := Options{Share: "keys", Repository: repository}
	o.Open = func(context.Context, Access) (api.Shares, io.Closer, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.open++
		f.opened++
		return f, f, nil
	}
	if change != nil {
		change(&o, f)
	}
	s := New(o)
	t.Cleanup(func() {
		if err := s.Close(); err != nil || f.open != 0 {
			t.Errorf("%d are still open, %v", f.open, err)
		}
	})
	return s, f
}

// is checks what a store says of a key.
func is(t *testing.T, s *Store, want string) {
	t.Helper()
	got := "no"
	here, _, err := s.Has(t.Context(), enc)
	if err != nil {
		got = "unknown"
	} else if here {
		got = "yes"
	}
	if got != want {
		t.Errorf("it is there: %s, want %s (%v)", got, want, err)
	}
}

func put(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Put(t.Context(), enc, write(t, filepath.Join(t.TempDir(), "src"), []byte("abc")), nil); err != nil {
		t.Fatal(err)
	}
}

func TestStoreHas(t *testing.T) {
	t.Parallel()
	name := enc.Path(repository)
	s, f := storeOf(t, nil)
	is(t, s, "no")
	put(t, s)
	is(t, s, "yes")
	f.files[name] = true
	if err := s.Remove(t.Context(), enc); err != nil {
		t.Fatal(err)
	}
	is(t, s, "no") // the node has not seen that it went
	f.files[name] = false
	is(t, s, "unknown")
	if err := s.Remove(t.Context(), enc); bt.CodeOf(err) != api.Denied {
		t.Errorf("what only others have was removed: %v", err)
	}
	f.promises = 1
	is(t, s, "yes")
	f.ended = 1
	is(t, s, "yes")
	f.ended = 2
	is(t, s, "unknown")
}

// With copies=2 a key is there when two others say so.
func TestStoreCopies(t *testing.T) {
	t.Parallel()
	s, f := storeOf(t, func(o *Options, _ *fake) { o.Copies = 2 })
	put(t, s)
	f.promises = 1
	is(t, s, "unknown")
	f.promises = 2
	is(t, s, "yes")
	if err := s.Remove(t.Context(), enc); err != nil {
		t.Fatal(err)
	}
	is(t, s, "no")
}

// Who has met nobody knows nothing.
func TestStoreThatMetNobody(t *testing.T) {
	t.Parallel()
	s, f := storeOf(t, func(_ *Options, f *fake) { f.listed = false })
	is(t, s, "unknown")
	f.listed = true
	is(t, s, "no")
}

func TestStoreFindsShare(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		change func(o *Options, f *fake)
		code   bt.Code
	}{
		"name":             {func(o *Options, _ *fake) {}, bt.OK},
		"another name":     {func(o *Options, _ *fake) { o.Share = "photos" }, bt.NotFound},
		"id as name":       {func(o *Options, _ *fake) { o.Share = shareID }, bt.OK},
		"id":               {func(o *Options, _ *fake) { o.Share, o.ID = "photos", shareID[:32] }, bt.OK},
		"a name, other id": {func(o *Options, _ *fake) { o.ID = strings.Repeat("0", 32) }, bt.NotFound},
		"short id":         {func(o *Options, _ *fake) { o.ID = shareID[:4] }, bt.NotFound},
		"store role":       {func(_ *Options, f *fake) { f.info.Role = "store" }, api.Denied},
		"no folder":        {func(_ *Options, f *fake) { f.info.Dir = "" }, bt.Usage},
	} {
		s, _ := storeOf(t, c.change)
		_, err := s.Share(t.Context())
		if code := bt.CodeOf(err); code != c.code {
			t.Errorf("%s: %v, %v", what, code, err)
		}
		if c.code == bt.NotFound && !strings.Contains(err.Error(), "shoal share add") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A reader fetches, and changes nothing.
func TestStoreOfReader(t *testing.T) {
	t.Parallel()
	s, _ := storeOf(t, func(_ *Options, f *fake) { f.info.Role = "read" })
	if err := s.Put(t.Context(), enc, "/dev/null", nil); bt.CodeOf(err) != api.Denied {
		t.Error(err)
	}
	if err := s.Remove(t.Context(), enc); bt.CodeOf(err) != api.Denied {
		t.Error(err)
	}
	is(t, s, "no")
}

// fetched is what Get brings.
func fetched(t *testing.T, s *Store) (string, error) {
	t.Helper()
	to := write(t, filepath.Join(t.TempDir(), "to"), []byte("abx and more"))
	err := s.Get(t.Context(), enc, to, nil)
	b, readErr := os.ReadFile(to)
	if readErr != nil {
		t.Fatal(readErr)
	}
	return string(b), err
}

func TestStoreGet(t *testing.T) {
	t.Parallel()
	name := enc.Path(repository)
	deliver := func(f *fake) func(path, out string) error {
		return func(path, out string) error {
			if f.info.Config.OnDemand != (out != "") {
				return errors.New("it goes to the wrong place: " + out)
			}
			if out == "" {
				out = filepath.Join(f.info.Dir, path)
			}
			return errors.Join(os.MkdirAll(filepath.Dir(out), 0o755), os.WriteFile(out, []byte("abc"), 0o644))
		}
	}
	for what, c := range map[string]struct {
		change func(f *fake)
		code   bt.Code
	}{
		"here":             {func(f *fake) { _ = deliver(f)(name, "") }, bt.OK},
		"known":            {func(f *fake) { f.files[name] = false }, bt.OK},
		"known, on demand": {func(f *fake) { f.files[name], f.info.Config.OnDemand = false, true }, bt.OK},
		"news":             {func(f *fake) { f.news = func() { f.files[name] = false } }, bt.OK},
		"came with news":   {func(f *fake) { f.news = func() { f.files[name] = true; _ = deliver(f)(name, "") } }, bt.OK},
		"nobody":           {func(*fake) {}, bt.NoPeers},
		"nowhere":          {func(f *fake) { f.news = func() {} }, bt.NotFound},
		"fails": {func(f *fake) {
			f.files[name] = false
			f.progress = func(context.Context) error { return api.Errorf(bt.Stalled, "no") }
		}, bt.Stalled},
	} {
		s, _ := storeOf(t, func(_ *Options, f *fake) { f.get = deliver(f); c.change(f) })
		got, err := fetched(t, s)
		if code := bt.CodeOf(err); code != c.code || c.code == bt.OK && got != "abc" {
			t.Errorf("%s: %q, %v, %v", what, got, code, err)
		}
	}
}

// Jobs at once share what is open, and give it back.
func TestStoreSession(t *testing.T) {
	t.Parallel()
	s, f := storeOf(t, func(_ *Options, f *fake) {
		f.files[enc.Path(repository)] = false
		f.info.Config.OnDemand = true
		f.get = func(_, out string) error { return os.WriteFile(out, []byte("abc"), 0o644) }
	})
	inside, all := make(chan bool, 5), make(chan bool)
	f.progress = func(context.Context) error { inside <- true; <-all; return nil }
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if got, err := fetched(t, s); err != nil || got != "abc" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	for range 5 {
		<-inside
	}
	close(all)
	wg.Wait()
	if f.opened > 2 { // to look, and to meet
		t.Errorf("it was opened %d times", f.opened)
	}
	if where, ok := s.Where(t.Context(), enc); ok {
		t.Errorf("it is at %s", where)
	}
	put(t, s)
	if where, ok := s.Where(t.Context(), enc); !ok || where != "keys:"+enc.Path(repository) {
		t.Errorf("it is at %s", where)
	}
}
