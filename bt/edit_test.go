package bt

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"shoal/bt/bencode"
)

func ptr[T any](v T) *T { return &v }

func edit(t *testing.T, b []byte, opts EditOptions) *EditResult {
	t.Helper()
	r, err := EditMetainfo(bytes.NewReader(b), opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEditTrackers(t *testing.T) {
	b := benc(dict{"announce": "http://a/", "announce-list": list{list{"http://a/", "odd one"}, list{"udp://b:1"}}, "info": single, "zebra": 1})
	for name, tt := range map[string]struct {
		opts EditOptions
		want [][]string
	}{
		"add":          {EditOptions{AddTrackers: [][]string{{"HTTP://C/", "http://d/"}}}, [][]string{{"http://a/", "odd one"}, {"udp://b:1"}, {"http://c/", "http://d/"}}},
		"add again":    {EditOptions{AddTrackers: [][]string{{"HTTP://A/"}}}, [][]string{{"http://a/", "odd one"}, {"udp://b:1"}}},
		"remove":       {EditOptions{RemoveTrackers: []string{"HTTP://a/", "UDP://b:1"}}, [][]string{{"odd one"}}},
		"remove odd":   {EditOptions{RemoveTrackers: []string{"odd one", "not there"}}, [][]string{{"http://a/"}, {"udp://b:1"}}},
		"set":          {EditOptions{SetTrackers: [][]string{{"http://z/"}}}, [][]string{{"http://z/"}}},
		"set and add":  {EditOptions{SetTrackers: [][]string{{"http://z/"}}, AddTrackers: [][]string{{"http://y/"}}}, [][]string{{"http://z/"}, {"http://y/"}}},
		"none":         {EditOptions{NoTrackers: true}, nil},
		"instead":      {EditOptions{AddTrackers: [][]string{{"http://c/"}}, NoTrackers: true}, [][]string{{"http://c/"}}},
		"set the same": {EditOptions{SetTrackers: [][]string{{"http://a/", "http://a/"}, {"http://a/"}}}, [][]string{{"http://a/"}}},
	} {
		r := edit(t, b, tt.opts)
		if !reflect.DeepEqual(r.After.Trackers, tt.want) || !r.SameInfo() || !bytes.Contains(r.Data, []byte("5:zebrai1ee")) {
			t.Errorf("%s: %v in %s", name, r.After.Trackers, r.Data)
		}
		if r.Changed != (name != "add again") || !bencode.IsCanonical(r.Data) {
			t.Errorf("%s: changed is %v, %s", name, r.Changed, r.Data)
		}
	}
	if _, err := EditMetainfo(bytes.NewReader(b), EditOptions{AddTrackers: [][]string{{"nonsense"}}}); CodeOf(err) != BadInput {
		t.Error(err)
	}
}

// What is not spoken of stays as it is, however odd.
func TestEditKeepsTheRest(t *testing.T) {
	info := string(benc(album))
	odd := "d3:zzzi007e4:info" + info + "7:comment1:x8:announcele1:ai-0e5:nodes3:\xff\xfe\xfd7:comment1:ye"
	r := edit(t, []byte(odd), EditOptions{AddWebseeds: []string{"http://w/"}})
	want := "d3:zzzi007e4:info" + info + "7:comment1:x8:announcele1:ai-0e5:nodes3:\xff\xfe\xfd7:comment1:ye"
	want = strings.Replace(want, "3:zzz", "8:url-listl9:http://w/e3:zzz", 1)
	if string(r.Data) != want || !r.SameInfo() {
		t.Errorf("got  %q\nwant %q", r.Data, want)
	}
	r = edit(t, []byte(odd), EditOptions{Comment: ptr("z")})
	if r.After.Comment != "z" || strings.Count(string(r.Data), "comment") != 1 || string(r.After.InfoBytes) != info {
		t.Errorf("got %q", r.Data)
	}
	if r = edit(t, []byte(odd), EditOptions{Comment: ptr("x")}); r.Changed {
		t.Errorf("nothing was to change: %q", r.Data)
	}
}

func TestEditInfo(t *testing.T) {
	for name, info := range map[string]dict{
		"single": single.with("unknown", list{1}, "name.utf-8", "old"), "folder": album, "v2": modern, "hybrid": hybrid,
	} {
		b := benc(dict{"info": info, "url-list": "http://w/"})
		r := edit(t, b, EditOptions{Name: ptr("renamed"), Private: ptr(true), Source: ptr("s")})
		if m := r.After; r.SameInfo() || m.Name != "renamed" || !m.Private || m.Source != "s" || m.Dir != r.Before.Dir || m.Length != r.Before.Length {
			t.Errorf("%s: %+v", name, m)
		}
		if info["unknown"] != nil && !bytes.Contains(r.Data, []byte("7:unknownli1ee")) {
			t.Errorf("%s: %q", name, r.Data)
		}
		again := edit(t, r.Data, EditOptions{Name: ptr("renamed"), Private: ptr(true), Source: ptr("s")})
		if again.Changed || !again.SameInfo() {
			t.Errorf("%s: the second time it is another", name)
		}
		if info["name.utf-8"] != nil {
			continue // what it was called is not what it was called before
		}
		back := edit(t, r.Data, EditOptions{Name: ptr(r.Before.Name), Private: ptr(false), Source: ptr("")})
		if !bytes.Equal(back.Data, b) {
			t.Errorf("%s: not as before: %q", name, back.Data)
		}
	}
	for _, bad := range []string{"", "..", "a/b", "\xff", strings.Repeat("x", 256)} {
		if _, err := EditMetainfo(bytes.NewReader(benc(dict{"info": single})), EditOptions{Name: &bad}); CodeOf(err) != BadInput {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Transmission writes private=0: that is what --private=false asks for, and no reason for another infohash.
func TestEditNotPrivateAlready(t *testing.T) {
	b := benc(dict{"info": single.with("private", 0)})
	if r := edit(t, b, EditOptions{Private: ptr(false)}); r.Changed {
		t.Errorf("got %q", r.Data)
	}
}

func FuzzEditMetainfo(f *testing.F) {
	for _, info := range []dict{single, album, modern, hybrid} {
		f.Add(benc(dict{"info": info, "announce": "http://a/", "announce-list": list{list{"b"}, "c"}, "url-list": "w", "x": dict{"y": 1}}), "name")
	}
	f.Fuzz(func(t *testing.T, b []byte, text string) {
		r, err := EditMetainfo(bytes.NewReader(b), EditOptions{AddTrackers: [][]string{{"http://new/"}}, AddWebseeds: []string{"http://w/"}, Comment: &text})
		if err != nil {
			if _, perr := ParseMetainfo(b); CodeOf(err) != BadInput || perr == nil {
				t.Fatalf("%v is %s", err, CodeOf(err))
			}
			return
		}
		if !r.SameInfo() || !bytes.Equal(r.Before.InfoBytes, r.After.InfoBytes) {
			t.Fatal("the info dictionary is another")
		}
		mine := map[string]bool{"announce": true, "announce-list": true, "url-list": true, "comment": true, "comment.utf-8": true}
		if before, after := others(t, b, mine), others(t, r.Data, mine); !reflect.DeepEqual(before, after) {
			t.Fatalf("before %q\nafter  %q", before, after)
		}
		if _, err := EditMetainfo(bytes.NewReader(b), EditOptions{Name: &text, Source: &text, Private: ptr(true)}); err != nil && CodeOf(err) != BadInput {
			t.Fatal(err)
		}
	})
}

// others are the entries of a dictionary under other keys, as they stand.
func others(t *testing.T, b []byte, but map[string]bool) (all []string) {
	v, err := bencode.Parse(b, editLimits)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range v.Entries() {
		if !but[key] {
			all = append(all, key, string(value.Encode()))
		}
	}
	return all
}
