package disk

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
)

// syncTemp makes a temporary file durable. One that could not be written is thrown away: the next sync would say that all
// is well.
func (b *batch) syncTemp(name string, f File) error {
	err := f.Sync()
	if err != nil {
		_ = b.fs.Remove(name)
	}
	return err
}

// syncTemps makes all temporary files durable at once, device by device.
func (b *batch) syncTemps() {
	errs := map[string]error{} // by directory of temporary files
	for _, s := range b.steps {
		if s.Op.Do != Put && s.Op.Do != PutSymlink {
			continue
		}
		dir := dirOf(s.Op.Temp)
		if _, ok := errs[dir]; !ok {
			errs[dir] = b.fs.SyncAll(dir)
		}
		s.err = errs[dir]
		if errors.Is(s.err, errors.ErrUnsupported) {
			s.err = b.syncOne(s.Op.Temp)
		} else if s.err != nil {
			_ = b.fs.Remove(s.Op.Temp)
		}
	}
	b.drop()
}

// drop leaves out the steps that failed already.
func (b *batch) drop() {
	ready := b.steps[:0]
	for _, s := range b.steps {
		if s.err != nil {
			s.end()
			continue
		}
		ready = append(ready, s)
	}
	b.steps = ready
}

// syncTempDirs makes the names of temporary files durable: where names cannot be exchanged, an empty path and no temporary
// file would look as if it had come and gone.
func (b *batch) syncTempDirs() {
	errs := map[string]error{}
	for _, s := range b.steps {
		if s.Op.Do != Put && s.Op.Do != PutSymlink {
			continue
		}
		dir := dirOf(s.Op.Temp)
		if _, ok := errs[dir]; !ok {
			errs[dir] = b.fs.SyncDir(dir)
		}
		s.err = errs[dir]
	}
	b.drop()
}

func (b *batch) syncOne(name string) error {
	f, err := b.fs.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return b.syncTemp(name, f)
}

// syncTouched makes durable what was done to names.
func (b *batch) syncTouched() error {
	dirs := slices.Sorted(maps.Keys(b.touched))
	all := map[string]bool{} // devices
	if len(b.touched) > fewSyncs {
		for _, dir := range dirs {
			d, err := b.device(dir)
			if err != nil {
				return err
			}
			all[d.mount] = true
		}
		err := error(nil)
		for _, mount := range slices.Sorted(maps.Keys(all)) {
			err = errors.Join(err, b.fs.SyncAll(mount))
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	for _, dir := range dirs {
		err := b.fs.SyncDir(dir)
		if errors.Is(err, fs.ErrNotExist) { // moved or gone by now; what was done in it counts all the same
			if err = b.fs.SyncAll("."); errors.Is(err, errors.ErrUnsupported) {
				err = nil
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// touch remembers the directories of names that changed.
func (b *batch) touch(names ...string) {
	for _, name := range names {
		b.touched[dirOf(name)] = true
	}
}
