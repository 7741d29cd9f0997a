package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// hcl's parser calls itself for every bracket and for most operators, and the stack of a goroutine has an end that cannot be
// recovered from. These bounds are far above what settings need.
const (
	maxNesting   = 64   // brackets, quotes and templates in each other
	maxOperators = 1024 // in one file
)

const wrongFile = "settings need no such thing; is this the right file?"

// closers are the tokens that end what others begin.
var closers = map[hclsyntax.TokenType]hclsyntax.TokenType{
	hclsyntax.TokenOBrace: hclsyntax.TokenCBrace, hclsyntax.TokenOBrack: hclsyntax.TokenCBrack, hclsyntax.TokenOParen: hclsyntax.TokenCParen,
	hclsyntax.TokenOQuote: hclsyntax.TokenCQuote, hclsyntax.TokenOHeredoc: hclsyntax.TokenCHeredoc,
	hclsyntax.TokenTemplateInterp: hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenTemplateControl: hclsyntax.TokenTemplateSeqEnd,
}

// neutral tells of the tokens that begin or end nothing and join nothing.
func neutral(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenIdent, hclsyntax.TokenNumberLit, hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit, hclsyntax.TokenEqual,
		hclsyntax.TokenComma, hclsyntax.TokenColon, hclsyntax.TokenComment, hclsyntax.TokenNewline, hclsyntax.TokenEOF:
		return true
	}
	return false
}

// isLoop tells whether a bracket begins a loop ("for" Identifier ("," Identifier)? "in"), whose work is no longer bounded by the size of
// the file. A key may be called for.
func isLoop(open hclsyntax.Token, behind hclsyntax.Tokens) bool {
	switch open.Type {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenTemplateControl:
	default:
		return false
	}
	var next []hclsyntax.Token
	for _, t := range behind {
		if t.Type != hclsyntax.TokenNewline && t.Type != hclsyntax.TokenComment {
			if next = append(next, t); len(next) == 3 {
				break
			}
		}
	}
	return len(next) == 3 && string(next[0].Bytes) == "for" && next[1].Type == hclsyntax.TokenIdent &&
		(next[2].Type == hclsyntax.TokenComma || string(next[2].Bytes) == "in")
}

// tooDeep looks for a place in source that hcl's parser must not come to, and says what is wrong with it.
func tooDeep(source []byte, file string) (at hcl.Range, says words, found bool) {
	tokens, _ := hclsyntax.LexConfig(source, file, hcl.InitialPos)
	var open []hclsyntax.TokenType // what ends each of those that are open
	operators, last := 0, hclsyntax.TokenNewline
	for i, t := range tokens {
		closer, opens := closers[t.Type]
		switch {
		case opens && isLoop(t, tokens[i+1:]):
			return t.Range, words{"a loop", "settings know no loops; write the elements themselves"}, true
		case opens:
			if open = append(open, closer); len(open) > maxNesting {
				return t.Range, words{fmt.Sprintf("nested more than %d deep", maxNesting), wrongFile}, true
			}
			// An index of an index nests to the left, and so does a template's control sequence.
			if last == hclsyntax.TokenCBrack && t.Type == hclsyntax.TokenOBrack || t.Type == hclsyntax.TokenTemplateControl {
				operators++
			}
		case isCloser(t.Type):
			for i := len(open) - 1; i >= 0; i-- { // what was forgotten to be closed ends with what is around it
				if open[i] == t.Type {
					open = open[:i]
					break
				}
			}
		case !neutral(t.Type):
			operators++
		}
		if operators > maxOperators {
			return t.Range, words{fmt.Sprintf("more than %d operators", maxOperators), wrongFile}, true
		}
		last = t.Type
	}
	return hcl.Range{}, words{}, false
}

func isCloser(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
		return true
	}
	return false
}
