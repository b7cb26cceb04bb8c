package bt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A download is one call of Client.Download on its way.
type download struct {
	c     *Client
	src   *Source
	opts  DownloadOptions
	start time.Time

	m      *Metainfo    // nil until known
	swarm  *swarm       // nil while offline
	book   *peerBook    // of a swarm that was left; nil when there was none
	files  *FileStorage // nil with opts.Stream, and until opened
	picked []bool       // files selected, by index
	root   string       // absolute path of the folder that paths are below
	paths  []string     // by file, slash-separated, "" when not selected; nil with opts.Stream
	meter  meter
}

// Download fetches what opts selects of a torrent, verifies it and puts it in place. It returns when every selected
// piece is verified and stored under its final name (and seeding, if asked for, is over), or when ctx is done: then
// what came is kept, and the same call goes on from there. The error's Code is NoPeers, NoMetadata or Stalled when a
// timeout of opts ended it, and the cause of ctx when that did.
func (c *Client) Download(ctx context.Context, src *Source, opts DownloadOptions) (*DownloadResult, error) {
	d := &download{c: c, src: src, opts: opts, start: time.Now()}
	if err := opts.check(); err != nil {
		return nil, err
	}
	defer d.close()
	if opts.Resume != "" {
		pruneResume(opts.Resume, d.start)
	}
	if err := d.prepare(ctx); err != nil {
		return nil, err
	}
	if opts.MetadataOnly {
		return d.result(), nil
	}
	if opts.Stream != nil {
		return d.stream(ctx)
	}
	if err := d.fetch(ctx); err != nil {
		return nil, err
	}
	res := d.result()
	if opts.Done != nil {
		opts.Done(res)
	}
	if err := d.seed(ctx); err != nil {
		return res, err
	}
	return res, d.close()
}

func (o *DownloadOptions) check() error {
	switch {
	case o.Stream != nil && o.Output != "":
		return errorf(Usage, "an output path and a stream exclude each other")
	case o.Tar && o.Stream == nil:
		return errorf(Usage, "a tar archive needs a stream")
	}
	return nil
}

// prepare gets the metainfo, from wherever it is, and does with it what can be done without data.
func (d *download) prepare(ctx context.Context) (err error) {
	if d.m, err = d.c.known(ctx, d.src, d.opts.Resume, d.opts.LoadOptions); err != nil {
		return err
	}
	if d.m == nil || d.m.lacksLayers() {
		if d.m, err = d.metadata(ctx); err != nil {
			return err
		}
	}
	d.event(Event{Kind: "metadata", Name: d.m.Name, Size: d.m.Length})
	switch path := d.opts.SaveTorrent; {
	case path == "":
		return nil
	case !d.opts.Force && isOther(path, d.m):
		return errorf(Exists, "saving the torrent: %s exists, and is something else", path).withHint("--force overwrites it")
	default:
		return d.m.Save(path)
	}
}

// metadata asks the swarm for the info dictionary.
func (d *download) metadata(ctx context.Context) (*Metainfo, error) {
	if err := d.join(ctx, nil); err != nil {
		return nil, err
	}
	m, err := d.swarm.fetchMetadata(ctx, d.opts.MetadataTimeout, func(p Progress) { d.report(p) })
	if err != nil {
		return nil, err
	}
	if d.src.Magnet != nil {
		rememberMetainfo(d.src.Magnet, m, d.opts.Resume, d.c.log)
	}
	if !m.HasV1() {
		// To the library, pieces whose hashes came later than the info dictionary are pieces that it does not ask for,
		// and may panic at. So it is given the torrent anew, with all hashes.
		d.book = d.swarm.book
		d.swarm.close()
		d.swarm = nil
	}
	return m, nil
}

// open puts the download on the network with its storage.
func (d *download) open(ctx context.Context, st Storage) error {
	if d.swarm == nil {
		return d.join(ctx, st)
	}
	d.swarm.open(st)
	return nil
}

// join puts the download on the network; st is nil as long as the metainfo is not known.
func (d *download) join(ctx context.Context, st Storage) (err error) {
	d.swarm, err = d.c.join(ctx, joinOptions{
		Metainfo: d.m, Magnet: d.src.Magnet, Storage: st,
		Peers: d.opts.Peers, Trackers: d.opts.Trackers, Webseeds: d.opts.Webseeds, Known: d.book,
	})
	return err
}

// openFiles lays the files out and opens them, hashing what is there and not yet believed.
func (d *download) openFiles(ctx context.Context) (err error) {
	if err := d.pick(); err != nil {
		return err
	}
	if d.root, d.paths, err = Layout(d.m, &d.opts); err != nil {
		return err
	}
	if d.root, err = filepath.Abs(d.root); err != nil {
		return err
	}
	d.files, err = OpenFiles(ctx, d.m, FileOptions{
		Root: d.root, Paths: d.paths, Record: d.record(),
		Check: d.opts.Check, Force: d.opts.Force,
		Progress: func(done, total int64) { d.report(Progress{State: "checking", Done: done, Total: total}) },
		OnFile: func(i int) {
			d.event(Event{Kind: "file", Name: d.paths[i], Size: d.m.Files[i].Length})
		},
	})
	return err
}

// record is the path of the resume record: one file per torrent and place.
func (d *download) record() string {
	if d.opts.Resume == "" {
		return ""
	}
	h := sha256.Sum256([]byte(d.root + "\x00" + strings.Join(d.paths, "\x00")))
	return filepath.Join(d.opts.Resume, d.m.Short().String()+"-"+hex.EncodeToString(h[:8]))
}

// pick selects files: what the options say, or without any what the magnet says (BEP 53).
func (d *download) pick() (err error) {
	sel := &d.opts.Select
	if g := d.src.Magnet; g != nil && len(sel.Indexes)+len(sel.Include)+len(sel.Exclude) == 0 {
		sel.Indexes = g.Select
	}
	d.picked, err = sel.Match(d.m)
	return err
}

// fetch gets the files complete.
func (d *download) fetch(ctx context.Context) error {
	if err := d.openFiles(ctx); err != nil {
		return err
	}
	if missing := d.files.Missing(); len(missing) > 0 {
		if err := d.open(ctx, d.files); err != nil {
			return err
		}
		d.swarm.sequential = d.opts.Sequential
		d.swarm.want(missing)
		if err := d.waitComplete(ctx); err != nil {
			return err
		}
		if d.swarm.trackers != nil {
			d.swarm.trackers.completed()
		}
	}
	if err := d.files.Flush(); err != nil {
		return err
	}
	d.remember()
	d.report(Progress{State: "downloading", Done: d.files.Total(), Total: d.files.Total()})
	d.event(Event{Kind: "done", Name: d.m.Name, Size: d.files.Total()})
	return nil
}

// remember writes down for Seed what is complete, if that is all of the torrent.
func (d *download) remember() {
	names, err := namesBelow(d.root, d.paths)
	if d.opts.Memory == "" || err != nil || len(names) == 0 {
		return
	}
	stamps, ok := d.files.stamps()
	if !ok {
		return
	}
	hash := d.m.Short().String()
	path := seedRecordPath(d.opts.Memory, "torrent", hash+"\x00"+names[0])
	if err := writeSeedRecord(path, &seedRecord{InfoHash: hash}, names, stamps); err != nil {
		d.c.log.Warn("what was fetched is not remembered", "err", err)
	}
}

// waitComplete returns when every wanted piece is there, reporting progress meanwhile.
func (d *download) waitComplete(ctx context.Context) error {
	st := newStall(d.swarm, d.opts.StallTimeout)
	return d.swarm.waitAll(ctx, func(now time.Time) error {
		p := d.progress(now)
		d.report(p)
		stalled, err := st.check(now)
		if stalled {
			d.event(Event{Kind: "stalled", Name: d.m.Name})
		}
		return err
	})
}

// progress is a snapshot while data is on its way.
func (d *download) progress(now time.Time) Progress {
	s := d.swarm.stats()
	p := Progress{
		State: "downloading", Done: d.files.BytesDone(), Total: d.files.Total(), Uploaded: s.written,
		Peers: s.peers, Seeds: s.seeds, Trackers: d.swarm.trackerStatus(),
	}
	p.Down, p.Up = d.meter.rates(now, s.read, s.written)
	p.ETA = eta(p.Total-p.Done, p.Down)
	return p
}

// report hands a snapshot to the caller, with the names filled in.
func (d *download) report(p Progress) {
	if d.opts.Progress == nil {
		return
	}
	p.Name, p.InfoHash = d.names()
	d.opts.Progress(p)
}

func (d *download) names() (name, infohash string) {
	switch g := d.src.Magnet; {
	case d.m != nil && d.m.HasV1():
		return d.m.Name, d.m.InfoHash.String()
	case d.m != nil:
		return d.m.Name, d.m.InfoHashV2.String()
	case g != nil && !g.InfoHash.IsZero():
		return g.Name, g.InfoHash.String()
	case g != nil:
		return g.Name, g.InfoHashV2.String()
	}
	return "", ""
}

func (d *download) event(e Event) {
	if d.opts.Event != nil {
		_, e.InfoHash = d.names()
		d.opts.Event(e)
	}
}

// result says what is there now.
func (d *download) result() *DownloadResult {
	res := &DownloadResult{Source: d.src.Arg, Name: d.m.Name, Seconds: time.Since(d.start).Seconds(), Files: []ResultFile{}}
	if d.m.HasV1() {
		res.InfoHash = d.m.InfoHash.String()
	}
	if d.m.HasV2() {
		res.InfoHashV2 = d.m.InfoHashV2.String()
	}
	res.Dir = d.root
	res.Present = d.files != nil && d.swarm == nil
	for i, f := range d.m.Files {
		if i >= len(d.picked) || !d.picked[i] {
			continue
		}
		path := f.Path
		if d.paths != nil {
			path = d.paths[i]
		}
		res.Files = append(res.Files, ResultFile{Path: path, Bytes: f.Length})
		res.Bytes += f.Length
	}
	return res
}

// close leaves the swarm and closes the files. It may be called twice.
func (d *download) close() (err error) {
	if d.swarm != nil {
		d.swarm.close()
		d.swarm = nil
	}
	if d.files != nil {
		err = d.files.Close()
		d.files = nil
	}
	return err
}

// Save writes a .torrent whole or not at all.
func (m *Metainfo) Save(path string) error {
	if err := writeFileAtomic(path, m.Bytes()); err != nil {
		return fmt.Errorf("saving the torrent: %w", err)
	}
	return nil
}

// isOther reports whether path is there, and anything but a .torrent of m.
func isOther(path string, m *Metainfo) bool {
	f, err := os.Open(path)
	if err != nil {
		return errors.Is(err, fs.ErrPermission)
	}
	defer f.Close()
	old, err := ReadMetainfo(f)
	return err != nil || old.Short() != m.Short()
}

// writeFileAtomic replaces path with b: who reads it sees the old bytes or the new ones.
func writeFileAtomic(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
