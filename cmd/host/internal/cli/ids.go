package cli

import (
	"strings"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Ids of nodes begin with 0x in every document for programs, as the discv5 methods of the API have them, and are bare in what people read.
// Commands take both.

// programID is an id in a document.
func programID(id enode.ID) string { return "0x" + id.String() }

// peopleID is an id of a document, for people.
func peopleID(id string) string { return strings.TrimPrefix(id, "0x") }
