package bt

// Throwaway stand-ins for what is written elsewhere, so that the commands compile.

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

var errStub = errors.New("not built in")

type Source struct {
	Arg       string
	Magnet    *Magnet
	URL, Path string
	Stdin     bool
}

type Magnet struct {
	InfoHash                  InfoHash
	InfoHashV2                InfoHashV2
	Name                      string
	Trackers, Peers, Webseeds []string
	Select                    []IndexRange
	Length                    int64
}

type LoadOptions struct {
	Stdin io.Reader
	HTTP  *http.Client
}

type MetadataOptions struct {
	Peers, Trackers []string
	Timeout         time.Duration
	Stdin           io.Reader
	Progress        func(Progress)
}

type DemoOptions struct {
	Dir      string
	Progress func(Progress)
	Step     func(string)
}

type DemoResult struct {
	Name     string  `json:"name"`
	InfoHash string  `json:"infohash"`
	Bytes    int64   `json:"bytes"`
	Seconds  float64 `json:"seconds"`
}

type Client struct{}

func ParseSource(arg string) (*Source, error) {
	switch {
	case arg == "-":
		return &Source{Arg: arg, Stdin: true}, nil
	case strings.HasPrefix(arg, "magnet:"):
		h, err := ParseInfoHash(strings.TrimPrefix(arg, "magnet:?xt=urn:btih:"))
		if err != nil {
			return nil, errorf(BadInput, "parsing magnet: %w", err).withHint("quote the magnet: the shell cuts it at &")
		}
		return &Source{Arg: arg, Magnet: &Magnet{InfoHash: h}}, nil
	case strings.Contains(arg, "://"):
		return &Source{Arg: arg, URL: arg}, nil
	}
	return &Source{Arg: arg, Path: arg}, nil
}

func (s *Source) Load(ctx context.Context, o LoadOptions) (*Metainfo, error) {
	if s.Stdin {
		return ReadMetainfo(o.Stdin)
	}
	f, err := os.Open(s.Path)
	if err != nil {
		return nil, errorf(BadInput, "%w", err)
	}
	defer f.Close()
	m, err := ReadMetainfo(f)
	if err != nil {
		return nil, errorf(BadInput, "reading %s: %w", s.Path, err)
	}
	return m, nil
}

type MagnetOptions struct {
	Peers                  []string
	NoTrackers, NoWebseeds bool
	Select                 []IndexRange
}

func MagnetOf(m *Metainfo, o MagnetOptions) *Magnet {
	return &Magnet{InfoHash: m.InfoHash, Name: m.Name}
}

func (m *Magnet) String() string { return "magnet:?xt=urn:btih:" + m.InfoHash.String() }

func ReadMetainfo(r io.Reader) (*Metainfo, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	name, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "stub:")
	if !ok {
		return nil, errorf(BadInput, "not a metainfo file: not bencode")
	}
	return &Metainfo{InfoHash: InfoHash{1}, Name: name, Length: 3, NumPieces: 1, PieceLength: 16384,
		Files: []File{{Path: name, Length: 3}}, Trackers: [][]string{{"http://a/announce"}}}, nil
}

func (m *Metainfo) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, "stub:"+m.Name)
	return int64(n), err
}

func NewClient(ctx context.Context, c Config) (*Client, error) { return &Client{}, nil }
func (c *Client) Close() error                                 { return nil }
func (c *Client) SetLimits(down, up int64)                     {}

func (c *Client) Download(ctx context.Context, src *Source, o DownloadOptions) (*DownloadResult, error) {
	return nil, errStub
}

func (c *Client) FetchMetainfo(ctx context.Context, src *Source, o MetadataOptions) (*Metainfo, error) {
	if src.Magnet == nil && src.URL == "" {
		return src.Load(ctx, LoadOptions{Stdin: o.Stdin})
	}
	return nil, errStub
}

func Demo(ctx context.Context, o DemoOptions) (*DemoResult, error) { return nil, errStub }

func ParseIndexes(s string) ([]IndexRange, error) {
	if s == "x" {
		return nil, errorf(Usage, "parsing %q: want numbers and ranges such as 1-3,8", s)
	}
	return nil, nil
}

func ReadBlocklist(r io.Reader) (*Blocklist, error) { return &Blocklist{}, nil }

// Match says for each file of m whether it is picked.
func (sel Selection) Match(m *Metainfo) ([]bool, error) {
	picked := make([]bool, len(m.Files))
	for i := range picked {
		picked[i] = true
	}
	return picked, nil
}

// HashFile is the SHA-256 of a file in lower-case hexadecimal.
func HashFile(ctx context.Context, path string) (string, error) { return "", errStub }
