package apitest

import (
	"context"
	"slices"

	"shoal/bt"
	"shoal/share/api"
)

// Link implements [api.Links]: the files of the source appear below the target.
func (f *Fake) Link(_ context.Context, opts api.LinkOptions) (*api.LinkInfo, error) {
	info := &api.LinkInfo{LinkOptions: opts, Links: []string{}}
	err := f.do(opts.Source, func(s *share) error {
		files, err := s.below(opts.SourcePath)
		for _, file := range files {
			if file.Type == "file" {
				info.Files++
				info.Bytes += file.Size
			}
		}
		if !opts.Pin {
			info.Share = s.info.ID
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return info, f.do(opts.Target, func(s *share) error {
		if _, err := s.below(opts.TargetPath); err == nil {
			return api.Errorf(bt.Exists, "there is something at %s of %q already", opts.TargetPath, s.info.Name)
		}
		if !opts.Pin {
			s.files = append(s.files, api.FileInfo{Path: opts.TargetPath, Type: "link", Present: true})
		}
		return nil
	})
}

// Unlink implements [api.Links].
func (f *Fake) Unlink(_ context.Context, name, p string) error {
	return f.do(name, func(s *share) error {
		i := slices.IndexFunc(s.files, func(x api.FileInfo) bool { return x.Path == p && x.Type == "link" })
		if i < 0 {
			return api.Errorf(bt.NotFound, "there is no link at %s of %q", p, s.info.Name)
		}
		s.files = slices.Delete(s.files, i, i+1)
		return nil
	})
}
