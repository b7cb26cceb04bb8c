package vault

import (
	"bytes"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/chacha20"

	"shoal/bt"
	"shoal/share/api"
)

// The XML of a database: groups in groups, entries in them, each with texts by key.
type (
	xmlFile struct {
		XMLName xml.Name `xml:"KeePassFile"`
		Meta    xmlMeta  `xml:"Meta"`
		Root    xmlGroup `xml:"Root>Group"`
	}
	xmlMeta struct {
		Generator string `xml:"Generator"`
		Name      string `xml:"DatabaseName"`
		Protect   string `xml:"MemoryProtection>ProtectPassword"`
		Bin       string `xml:"RecycleBinEnabled"`
	}
	xmlGroup struct {
		UUID    string     `xml:"UUID"`
		Name    string     `xml:"Name"`
		Entries []xmlEntry `xml:"Entry"`
		Groups  []xmlGroup `xml:"Group"`
	}
	xmlEntry struct {
		UUID    string    `xml:"UUID"`
		Tags    string    `xml:"Tags"`
		Times   xmlTimes  `xml:"Times"`
		Strings []xmlText `xml:"String"`
	}
	xmlTimes struct {
		Created  string `xml:"CreationTime"`
		Modified string `xml:"LastModificationTime"`
		Accessed string `xml:"LastAccessTime"`
		Expiry   string `xml:"ExpiryTime"`
		Expires  string `xml:"Expires"`
	}
	xmlText struct {
		Key   string   `xml:"Key"`
		Value xmlValue `xml:"Value"`
	}
	xmlValue struct {
		Protected string `xml:"Protected,attr,omitempty"`
		Text      string `xml:",chardata"`
	}
)

// protector hides values by a stream of bytes, in the order in which they stand in the file.
func protector(key []byte) (*chacha20.Cipher, error) {
	sum := sha512.Sum512(key)
	return chacha20.NewUnauthenticatedCipher(sum[:32], sum[32:44])
}

// kdbxXML writes a list as the XML of a database.
func kdbxXML(list []Entry, stream []byte) ([]byte, error) {
	hide, err := protector(stream)
	if err != nil {
		return nil, err
	}
	file := xmlFile{Meta: xmlMeta{"shoal", "shoal", "True", "False"}, Root: xmlGroup{UUID: newUUID(), Name: "shoal"}}
	for _, kind := range []Kind{Share, Invite, Node} {
		group := xmlGroup{UUID: newUUID(), Name: groupOf(kind)}
		for _, e := range list {
			if e.Secret.Kind != kind {
				continue
			}
			text := []byte(e.Secret.Text())
			hide.XORKeyStream(text, text)
			at := kdbxTime(e.Added)
			group.Entries = append(group.Entries, xmlEntry{newUUID(), strings.Join(e.Tags, ";"), xmlTimes{at, at, at, at, "False"}, []xmlText{
				{"Title", xmlValue{"", e.Label}},
				{"UserName", xmlValue{"", e.Secret.Role()}},
				{"Password", xmlValue{"True", base64.StdEncoding.EncodeToString(text)}},
				{"URL", xmlValue{}},
				{"Notes", xmlValue{"", e.Note}},
			}})
		}
		if len(group.Entries) > 0 {
			file.Root.Groups = append(file.Root.Groups, group)
		}
	}
	b, err := xml.Marshal(file)
	return append([]byte(xml.Header), b...), err
}

func newUUID() string {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand does not fail
	}
	return base64.StdEncoding.EncodeToString(b[:])
}

// Times are seconds since the year 1, which Go counts from too.
func kdbxTime(t time.Time) string {
	return base64.StdEncoding.EncodeToString(binary.LittleEndian.AppendUint64(nil, uint64(t.Unix()-time.Time{}.Unix())))
}

// parseTime reads a time; one that is not understood is not known.
func parseTime(s string) time.Time {
	if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s)); err == nil && len(b) == 8 {
		if n := binary.LittleEndian.Uint64(b); n < 1<<40 {
			return time.Unix(int64(n)+time.Time{}.Unix(), 0).UTC()
		}
	}
	return time.Time{}
}

// maxDepth bounds elements in elements.
const maxDepth = 64

// parseKDBX reads the XML of a database, in its order: older versions of entries, and what else is protected, take their part
// of the stream too.
func parseKDBX(b, stream []byte) ([]Entry, error) {
	show, err := protector(stream)
	if err != nil {
		return nil, err
	}
	r := kdbxReader{show: show}
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return entries(r.all)
		}
		if err != nil || len(r.path) > maxDepth || len(r.all) > maxEntries {
			return nil, api.Errorf(bt.BadInput, "reading secrets: what is in the kdbx file is not understood")
		}
		r.token(t)
	}
}

// A kdbxReader collects entries as the XML goes by.
type kdbxReader struct {
	show    *chacha20.Cipher
	path    []string
	hidden  bool   // the value that is being read
	text    []byte // of the element
	key     string // of the text of an entry
	history int    // how many elements with older versions are open
	now     plain
	all     []plain
}

func (r *kdbxReader) token(t xml.Token) {
	switch t := t.(type) {
	case xml.StartElement:
		r.path = append(r.path, t.Name.Local)
		r.text, r.hidden = r.text[:0], false
		for _, a := range t.Attr {
			r.hidden = r.hidden || a.Name.Local == "Protected" && strings.EqualFold(a.Value, "true")
		}
		switch t.Name.Local {
		case "History":
			r.history++
		case "Entry":
			if r.history == 0 {
				r.now = plain{}
			}
		}
	case xml.CharData:
		r.text = append(r.text, t...)
	case xml.EndElement:
		r.end(t.Name.Local)
		r.path, r.text = r.path[:len(r.path)-1], r.text[:0]
	}
}

func (r *kdbxReader) end(name string) {
	text := string(r.text)
	if name == "Value" && r.hidden {
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil {
			b = nil
		}
		r.show.XORKeyStream(b, b)
		text, r.hidden = string(b), false
	}
	if name == "History" {
		r.history--
	}
	if r.history > 0 {
		return
	}
	switch name {
	case "Key":
		r.key = text
	case "Value":
		switch r.key {
		case "Title":
			r.now.Label = text
		case "Password":
			r.now.Token = text
		case "Notes":
			r.now.Note = text
		}
	case "Tags":
		r.now.Tags = splitTags(text)
	case "CreationTime":
		r.now.Added = parseTime(text)
	case "Entry":
		if _, err := Parse(r.now.Token); err == nil || meant(r.now.Token) {
			r.all = append(r.all, r.now)
		}
	}
}
