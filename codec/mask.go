package codec

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"math/bits"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Mask hides and reveals the headers of packets sent to one node. It holds the
// expanded AES key (about half a kilobyte), has no mutable state and may be
// used by any number of goroutines.
type Mask struct {
	block cipher.Block
}

// NewMask returns the mask of packets sent to dest.
//
//	masking-key = dest-id[:16]
func NewMask(dest enode.ID) *Mask {
	block, err := aes.NewCipher(dest[:16])
	if err != nil {
		panic("codec: " + err.Error()) // only for keys of another size
	}
	return &Mask{block}
}

// xor applies the mask to pkt[IVSize+from : IVSize+to]; from is a multiple of
// the block size. Applying it twice restores the bytes.
//
//	masked-header = aesctr_encrypt(masking-key, masking-iv, header)
//
// The counter and the key stream use the place of the IV, which is put back at
// the end: a buffer of our own would escape to the heap through cipher.Block.
func (m *Mask) xor(pkt []byte, from, to int) {
	iv := pkt[:IVSize]
	hi, lo := binary.BigEndian.Uint64(iv), binary.BigEndian.Uint64(iv[8:])
	body := pkt[IVSize : IVSize+to]
	for ; from < to; from += aes.BlockSize {
		ctr, carry := bits.Add64(lo, uint64(from/aes.BlockSize), 0)
		binary.BigEndian.PutUint64(iv, hi+carry)
		binary.BigEndian.PutUint64(iv[8:], ctr)
		m.block.Encrypt(iv, iv)
		chunk := body[from:min(from+aes.BlockSize, to)]
		subtle.XORBytes(chunk, chunk, iv)
	}
	binary.BigEndian.PutUint64(iv, hi)
	binary.BigEndian.PutUint64(iv[8:], lo)
}
