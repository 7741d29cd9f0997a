package fields

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// Why the text of a record is refused. Parse and Inspect wrap one of these with what exactly
// was found; the whole message is one line of ASCII.
var (
	ErrPrefix    = errors.New("no \"enr:\" prefix")
	ErrBase64    = errors.New("bad base64")
	ErrTooLarge  = errors.New("record too large")
	ErrRLP       = errors.New("damaged record")
	ErrOrder     = errors.New("keys not sorted")
	ErrDuplicate = errors.New("duplicate key")
	ErrScheme    = errors.New("unknown identity scheme")
	ErrPublicKey = errors.New("bad public key")
	ErrSignature = errors.New("invalid signature")
)

const (
	prefix       = "enr:"
	signatureLen = 64 // of the "v4" scheme: r and s
)

// Parse reads a record in text form, "enr:" and URL-safe base64 without padding, with or
// without white space around it, and verifies its signature. The error wraps one of the
// sentinels above. Input of any length is safe: text beyond enr.SizeLimit is refused undecoded.
func Parse(text string) (*enode.Node, error) {
	r, err := parseRecord(text)
	if err != nil {
		return nil, err
	}
	return verify(r)
}

// parseRecord does all of Parse but the identity scheme.
func parseRecord(text string) (*enr.Record, error) {
	raw, err := decodeText(text)
	if err != nil {
		return nil, err
	}
	if err := checkStructure(raw); err != nil {
		return nil, err
	}
	var r enr.Record
	if err := rlp.DecodeBytes(raw, &r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRLP, err)
	}
	return &r, nil
}

// decodeText turns the text form into the RLP of the record.
func decodeText(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	body, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return nil, prefixError(text)
	}
	if n := base64.RawURLEncoding.DecodedLen(len(body)); n > enr.SizeLimit+2 { // 2: padding is another error
		return nil, fmt.Errorf("%w: %d characters, at most %d bytes are allowed", ErrTooLarge, len(body), enr.SizeLimit)
	}
	for i, c := range []byte(body) {
		if err := checkCharacter(c, i); err != nil {
			return nil, err
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(body)
	switch {
	case len(body)%4 == 1:
		return nil, fmt.Errorf("%w: %d characters, one is missing or too many", ErrBase64, len(body))
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrBase64, err)
	case len(raw) > enr.SizeLimit:
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, len(raw), enr.SizeLimit)
	}
	return raw, nil
}

// prefixError says what text without the prefix looks like.
func prefixError(text string) error {
	switch {
	case text == "":
		return fmt.Errorf("%w: the text is empty", ErrPrefix)
	case strings.HasPrefix(text, "enode://"):
		return fmt.Errorf("%w: this is an enode URL, which has no signed record", ErrPrefix)
	case len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix):
		return fmt.Errorf("%w: it is written in lower case", ErrPrefix)
	}
	return fmt.Errorf("%w: the text starts with %+q", ErrPrefix, text[:min(len(text), 12)])
}

// checkCharacter explains character c at position i after the prefix, if it is none of base64url.
func checkCharacter(c byte, i int) error {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		return nil
	case c == '=':
		return fmt.Errorf("%w: padding '=' at position %d; records have none", ErrBase64, i)
	case c == '+' || c == '/':
		return fmt.Errorf("%w: '%c' at position %d is of the standard alphabet; records use '-' for '+' and '_' for '/'", ErrBase64, c, i)
	case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		return fmt.Errorf("%w: white space at position %d", ErrBase64, i)
	}
	return fmt.Errorf("%w: character %+q at position %d", ErrBase64, string(rune(c)), i)
}

// checkStructure walks the record to say precisely what is wrong with it.
// EIP-778: "record = [signature, seq, k, v, ...]", "the key/value pairs must be sorted by key
// and must be unique".
func checkStructure(raw []byte) error {
	content, rest, err := rlp.SplitList(raw)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrRLP, err)
	case len(rest) > 0:
		return fmt.Errorf("%w: %d bytes after its end", ErrRLP, len(rest))
	}
	_, content, err = rlp.SplitString(content)
	if err != nil {
		return fmt.Errorf("%w: signature: %w", ErrRLP, err)
	}
	_, content, err = rlp.SplitUint64(content)
	if err != nil {
		return fmt.Errorf("%w: sequence number: %w", ErrRLP, err)
	}
	return checkPairs(content)
}

func checkPairs(content []byte) error {
	prev, first := "", true
	for len(content) > 0 {
		k, rest, err := rlp.SplitString(content)
		if err != nil {
			return fmt.Errorf("%w: key after %s: %w", ErrRLP, display(prev), err)
		}
		key := string(k)
		if len(rest) == 0 {
			return fmt.Errorf("%w: key %s has no value", ErrRLP, display(key))
		}
		if _, _, rest, err = rlp.Split(rest); err != nil {
			return fmt.Errorf("%w: value of %s: %w", ErrRLP, display(key), err)
		}
		switch {
		case !first && key == prev:
			return fmt.Errorf("%w: %s", ErrDuplicate, display(key))
		case !first && key < prev:
			return fmt.Errorf("%w: %s stands after %s", ErrOrder, display(key), display(prev))
		}
		prev, first, content = key, false, rest
	}
	return nil
}

// verify checks identity scheme, public key and signature.
func verify(r *enr.Record) (*enode.Node, error) {
	id, err := Load[enr.ID](r)
	switch {
	case errors.Is(err, ErrAbsent):
		return nil, fmt.Errorf("%w: the record has no \"id\"", ErrScheme)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrScheme, err)
	case id != enr.IDv4:
		return nil, fmt.Errorf("%w: %s, want \"v4\"", ErrScheme, bytesText([]byte(id)))
	}
	if _, err := Load[enode.Secp256k1](r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPublicKey, err)
	}
	if n := len(r.Signature()); n != signatureLen {
		return nil, fmt.Errorf("%w: %d bytes, want %d", ErrSignature, n, signatureLen)
	}
	n, err := enode.New(enode.ValidSchemes, r)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not by the record's key over this content", ErrSignature)
	}
	return n, nil
}
