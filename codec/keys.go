package codec

import (
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/sha256"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// The texts that bind keys and signatures to the protocol, from
// discv5-theory.md, "Handshake Steps".
const (
	keyAgreementText  = "discovery v5 key agreement"
	identityProofText = "discovery v5 identity proof"
)

// Keys are the two keys of a session. The initiator, who answered the
// WHOAREYOU, writes with the first; the recipient, who sent it, with the second.
type Keys struct {
	Initiator, Recipient [16]byte
}

// ParseEphemeralKey decodes the ephemeral key of a handshake packet. What is
// not a compressed point of the curve is ErrEphemeralKey.
func ParseEphemeralKey(key []byte) (*ecdsa.PublicKey, error) {
	if len(key) != EphemeralKeySize {
		return nil, ErrEphemeralKey
	}
	pub, err := crypto.DecompressPubkey(key)
	if err != nil {
		return nil, ErrEphemeralKey
	}
	return pub, nil
}

// ECDH returns the secret shared by the holders of the two keys, as a
// compressed point.
//
// Both must be valid keys: pub on the curve, as ParseEphemeralKey and a verified
// record guarantee, and priv within the order of the curve, as every constructor
// of go-ethereum's crypto makes it.
func ECDH(priv *ecdsa.PrivateKey, pub *ecdsa.PublicKey) [33]byte {
	x, y := crypto.S256().ScalarMult(pub.X, pub.Y, crypto.FromECDSA(priv))
	var secret [33]byte
	secret[0] = 0x02 | byte(y.Bit(0))
	x.FillBytes(secret[1:])
	return secret
}

// DeriveKeys derives the keys of a session from the shared secret and the
// WHOAREYOU that led to it. It takes a microsecond or two.
//
//	kdf-info      = "discovery v5 key agreement" || node-id-A || node-id-B
//	prk           = HKDF-Extract(challenge-data, secret)
//	key-data      = HKDF-Expand(prk, kdf-info)
//	initiator-key = key-data[:16]
//	recipient-key = key-data[16:]
func DeriveKeys(secret [33]byte, challengeData []byte, initiator, recipient enode.ID) Keys {
	info := make([]byte, 0, len(keyAgreementText)+2*len(initiator))
	info = append(info, keyAgreementText...)
	info = append(info, initiator[:]...)
	info = append(info, recipient[:]...)
	data, err := hkdf.Key(sha256.New, secret[:], challengeData, string(info), 32)
	if err != nil {
		panic("codec: " + err.Error()) // only for outputs beyond 255 hashes
	}
	return Keys{Initiator: [16]byte(data), Recipient: [16]byte(data[16:])}
}

// SignIDNonce makes the id-signature of a handshake with the static key of the
// initiator. recipient is who sent the WHOAREYOU. The signature is
// deterministic. Errors come from an unusable key only.
func SignIDNonce(key *ecdsa.PrivateKey, challengeData []byte, ephPub [EphemeralKeySize]byte,
	recipient enode.ID,
) ([SignatureSize]byte, error) {
	hash := idNonceHash(challengeData, ephPub[:], recipient)
	sig, err := crypto.Sign(hash[:], key)
	if err != nil {
		return [SignatureSize]byte{}, err
	}
	return [SignatureSize]byte(sig), nil // without the recovery byte
}

// VerifyIDNonce checks the id-signature of a handshake against the static key of
// the initiator; recipient is who sent the WHOAREYOU. It fails with
// ErrIDSignature, or for parts of the wrong length with ErrSignatureSize and
// ErrEphemeralKeySize. Signatures with a high s are refused.
func VerifyIDNonce(sig []byte, pub *ecdsa.PublicKey, challengeData, ephPub []byte, recipient enode.ID) error {
	if len(sig) != SignatureSize {
		return ErrSignatureSize
	}
	if len(ephPub) != EphemeralKeySize {
		return ErrEphemeralKeySize
	}
	hash := idNonceHash(challengeData, ephPub, recipient)
	// The uncompressed form of the key spares the verifier a square root.
	if !crypto.VerifySignature(crypto.FromECDSAPub(pub), hash[:], sig) {
		return ErrIDSignature
	}
	return nil
}

// idNonceHash is what an id-signature signs.
//
//	id-signature-input = id-signature-text || challenge-data || ephemeral-pubkey || node-id-B
//	id-signature       = id_sign(sha256(id-signature-input))
func idNonceHash(challengeData, ephPub []byte, recipient enode.ID) [32]byte {
	var room [len(identityProofText) + ChallengeDataSize + EphemeralKeySize + len(recipient)]byte
	input := append(room[:0], identityProofText...)
	input = append(input, challengeData...)
	input = append(input, ephPub...)
	input = append(input, recipient[:]...)
	return sha256.Sum256(input)
}
