package codec

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

func TestMaskIsAESCTR(t *testing.T) {
	rng := rand.NewChaCha8([32]byte{1})
	var dest enode.ID
	rng.Read(dest[:])
	mask := NewMask(dest)
	block, err := aes.NewCipher(dest[:16])
	if err != nil {
		t.Fatal(err)
	}
	for _, iv := range []string{
		"00000000000000000000000000000000",
		"0102030405060708090a0b0c0d0e0f10",
		"0000000000000001ffffffffffffffff", // carries at the second block
		"fffffffffffffffffffffffffffffffd", // wraps around at the fourth
	} {
		for size := range 500 {
			pkt := append(unhex(t, iv), make([]byte, size+20)...)
			rng.Read(pkt[IVSize:])
			want := bytes.Clone(pkt)
			cipher.NewCTR(block, want[:IVSize]).XORKeyStream(want[IVSize:IVSize+size], want[IVSize:IVSize+size])

			got := bytes.Clone(pkt)
			mask.xor(got, 0, size)
			if !bytes.Equal(got, want) {
				t.Fatalf("iv %s, %d bytes: got %x, want %x", iv, size, got, want)
			}
			if size >= 32 { // in two steps, as when parsing
				mask.xor(got, 0, 32)
				mask.xor(got, 32, size)
			} else {
				mask.xor(got, 0, size)
			}
			if !bytes.Equal(got, pkt) {
				t.Fatalf("iv %s, %d bytes: unmasked to %x, want %x", iv, size, got, pkt)
			}
		}
	}
}
