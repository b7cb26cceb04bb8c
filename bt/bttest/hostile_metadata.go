package bttest

import (
	"shoal/bt/bttest/internal/wire"
)

// metadataBehaviours lie about the info dictionary (BEP 9) to an engine that has only a magnet.
func metadataBehaviours() []Behaviour {
	return []Behaviour{
		{"forged metadata", forging(func(c *Conn) []byte { return forgedInfo(len(c.content.torrent.Info)) }), OnMetadata},
		{"metadata spoilt by a bit", forging(func(c *Conn) []byte {
			b := append([]byte(nil), c.content.torrent.Info...)
			b[len(b)/2] ^= 1
			return b
		}), OnMetadata},
		{"metadata of nested lists", forging(func(c *Conn) []byte { return nested(len(c.content.torrent.Info)) }), OnMetadata},
		{"metadata withheld", func(c *Conn) error {
			c.metadata = func(int64) error { c.strike(); return nil }
			return honest(c)
		}, OnMetadata},
		{"metadata rejected", func(c *Conn) error {
			c.metadata = func(piece int64) error {
				defer c.strike()
				return c.sendMetadata(wire.Dict{"msg_type": metadataReject, "piece": piece}, nil)
			}
			return honest(c)
		}, OnMetadata},
		{"metadata of another size", func(c *Conn) error {
			return c.withMetadata(wire.Dict{"metadata_size": len(c.content.torrent.Info) + 16384}, func(piece int64) error {
				return c.sendMetadata(wire.Dict{"msg_type": metadataData, "piece": piece, "total_size": 7}, make([]byte, 16384))
			})
		}, OnMetadata},
		{"metadata of 16 MB of zeros", func(c *Conn) error {
			return c.withMetadata(wire.Dict{"metadata_size": 16 << 20}, func(piece int64) error {
				return c.sendMetadata(wire.Dict{"msg_type": metadataData, "piece": piece, "total_size": 16 << 20}, make([]byte, 16384))
			})
		}, OnMetadata},
		{"metadata for every piece but the one asked for", func(c *Conn) error {
			return c.withMetadata(nil, func(piece int64) error {
				return c.sendMetadata(wire.Dict{"msg_type": metadataData, "piece": piece + 1, "total_size": len(c.content.torrent.Info)}, make([]byte, 100))
			})
		}, OnMetadata},
	}
}

// withMetadata changes the extended handshake, and answers requests for metadata by answer.
func (c *Conn) withMetadata(change wire.Dict, answer func(piece int64) error) error {
	c.hello = func() error {
		if err := c.send(c.extendedHandshake(change)); err != nil {
			return err
		}
		return c.sayHave()
	}
	c.metadata = func(piece int64) error {
		defer c.strike()
		return answer(piece)
	}
	return honest(c)
}

// forging serves another info dictionary in place of the true one.
func forging(info func(*Conn) []byte) func(*Conn) error {
	return func(c *Conn) error {
		forged := info(c)
		return c.withMetadata(wire.Dict{"metadata_size": len(forged)}, func(piece int64) error {
			return c.sendInfo(piece, forged)
		})
	}
}

// forgedInfo is a valid info dictionary, of about n bytes, of a file outside the folder.
func forgedInfo(n int) []byte {
	return wire.Bencode(wire.Dict{
		"length": 1, "name": "../../forged", "piece length": 16384, "pieces": make([]byte, 20),
		"x": make([]byte, max(0, n-90)),
	})
}

func nested(n int) []byte {
	b := make([]byte, max(2, n))
	for i := range b {
		b[i] = 'l'
		if i >= len(b)/2 {
			b[i] = 'e'
		}
	}
	return b
}
