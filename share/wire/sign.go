package wire

import "crypto/ed25519"

func sign(key ed25519.PrivateKey, purpose string, m []byte) []byte {
	return ed25519.Sign(key, append([]byte("shoal/1/"+purpose), m...))
}

func verify(pk [32]byte, purpose string, m []byte, sig [64]byte) bool {
	return ed25519.Verify(pk[:], append([]byte("shoal/1/"+purpose), m...), sig[:])
}
