package codec

import (
	"crypto/aes"
	"crypto/cipher"
)

// Cipher encrypts or decrypts the messages of one direction of a session:
// AES-128-GCM with an expanded key. It has no mutable state and may be used by
// any number of goroutines. It takes 1.3 kB; making one takes less than a
// microsecond, so rarely used sessions may keep the key alone.
type Cipher struct {
	aead cipher.AEAD
}

// NewCipher returns the cipher of a session key. It panics where the Go runtime
// is told to forbid caller-chosen nonces (GODEBUG=fips140=only), which the
// protocol cannot do without.
func NewCipher(key [16]byte) *Cipher {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("codec: " + err.Error()) // only for keys of another size
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("codec: " + err.Error())
	}
	return &Cipher{aead}
}

// Open decrypts the message of p and appends it to dst. A message that does not
// authenticate, or is empty, is ErrDecrypt.
//
// dst may be p.Ciphertext[:0], else it must not overlap p. Either way p is
// unchanged when Open fails, and another key can be tried. In place this takes
// a copy of the ciphertext aside, because Go's GCM clears its output when the
// tag is wrong; a separate dst with room for the message is a little faster.
// After success in place the ciphertext is gone.
func (c *Cipher) Open(dst []byte, p *Packet) ([]byte, error) {
	// A message has at least its type. What ParsePacket returns keeps the bounds
	// below; a Packet built otherwise might not.
	if len(p.Ciphertext) <= TagSize || len(p.Ciphertext) > MaxPacketSize || len(p.Header) < authOffset {
		return nil, ErrDecrypt
	}
	if n := len(dst); cap(dst) > n && &dst[:n+1][n] == &p.Ciphertext[0] {
		return c.openInPlace(dst, p)
	}
	return c.open(dst, p)
}

// open takes the nonce from the header: handing p.Nonce to an interface would
// move every caller's Packet to the heap.
//
//	message    = aesgcm_encrypt(initiator-key, nonce, message-pt, message-ad)
//	message-ad = masking-iv || header
func (c *Cipher) open(dst []byte, p *Packet) ([]byte, error) {
	out, err := c.aead.Open(dst, p.Header[nonceOffset:authSizeOffset], p.Ciphertext, p.Header)
	if err != nil {
		return nil, ErrDecrypt
	}
	return out, nil
}

func (c *Cipher) openInPlace(dst []byte, p *Packet) ([]byte, error) {
	var saved [MaxPacketSize]byte
	n := copy(saved[:], p.Ciphertext)
	out, err := c.open(dst, p)
	if err != nil {
		copy(p.Ciphertext, saved[:n])
	}
	return out, err
}

// seal encrypts message behind the unmasked header dst[start:].
func (c *Cipher) seal(dst []byte, start int, message []byte) []byte {
	header := dst[start:]
	return c.aead.Seal(dst, header[nonceOffset:authSizeOffset], message, header)
}
