package node

import (
	"crypto/ed25519"
	"encoding/json"

	"github.com/bmatcuk/doublestar/v4"

	"shoal/share/api"
	"shoal/share/secret"
)

func parseConfig(b []byte) (c api.ShareConfig) {
	_ = json.Unmarshal(b, &c) // it was written by us; nothing is the default
	return c
}

func encodeConfig(c api.ShareConfig) []byte {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and bools
	}
	return b
}

// wants reports whether a path is to be kept here.
func wants(c *api.ShareConfig, path string) bool {
	// What was said of the nearest directory above counts.
	if dropped, wanted := nearest(path, c.Dropped), nearest(path, c.Wanted); wanted >= 0 || dropped >= 0 {
		return wanted >= dropped
	}
	if c.OnDemand || len(c.Select) > 0 && !matches(path, c.Select) {
		return false
	}
	return !matches(path, c.Exclude)
}

// wantsAll reports whether nothing is left out.
func wantsAll(c *api.ShareConfig) bool {
	return !c.OnDemand && len(c.Select)+len(c.Exclude)+len(c.Dropped) == 0
}

// nearest is the length of the longest of paths that path is, or is below; -1 of none.
func nearest(path string, paths []string) int {
	n := -1
	for _, p := range paths {
		if len(p) > n && within(path, []string{p}) {
			n = len(p)
		}
	}
	return n
}

// within reports whether path is one of paths, or below one.
func within(path string, paths []string) bool {
	for _, p := range paths {
		if p == "" || path == p || len(path) > len(p) && path[len(p)] == '/' && path[:len(p)] == p {
			return true
		}
	}
	return false
}

// matches reports whether a glob matches path or a directory above it.
func matches(path string, globs []string) bool {
	for _, g := range globs {
		for p := path; ; {
			if ok, _ := doublestar.Match(g, p); ok {
				return true
			}
			i := len(p) - 1
			for i >= 0 && p[i] != '/' {
				i--
			}
			if i < 0 {
				break
			}
			p = p[:i]
		}
	}
	return false
}

func publicKey(id secret.Identity) [32]byte { return [32]byte(id.Sign.Public().(ed25519.PublicKey)) }
