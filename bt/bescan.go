package bt

import "shoal/bt/bencode"

// What trackers and DHT nodes send is looked at in place, for the few fields we want; lax where that harms nobody, as
// with the order of keys.

// scanLimits bound a message of a stranger.
var scanLimits = bencode.Limits{Depth: 16, Size: 4 << 20}

// scanDict calls f for each entry of the dictionary v until f says false. It reports whether v is a dictionary.
func scanDict(v []byte, f func(key string, value []byte) bool) bool {
	if bencode.Check(v, scanLimits) != nil {
		return false
	}
	c := bencode.NewCursor(v)
	if !c.Enter(bencode.Dict) {
		return false
	}
	for c.More() {
		key, _ := c.Bytes()
		if !f(string(key), c.Skip()) {
			break
		}
	}
	return true
}

// scanList calls f for each item of the list v, which is bencode, until f says false. It reports whether v is a list.
func scanList(v []byte, f func(item []byte) bool) bool {
	c := bencode.NewCursor(v)
	if !c.Enter(bencode.List) {
		return false
	}
	for c.More() {
		if !f(c.Skip()) {
			break
		}
	}
	return true
}

// scanString is the byte string v, when v is one.
func scanString(v []byte) ([]byte, bool) { return bencode.NewCursor(v).Bytes() }

// scanInt is the integer v, when v is one that fits.
func scanInt(v []byte) (int64, bool) { return bencode.NewCursor(v).Int64() }
