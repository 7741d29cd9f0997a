// Package fields decodes the fields of Ethereum node records that are in use on public
// networks, and explains whole records to people.
//
// # Layout
//
// Each field is a type that is an enr.Entry, so node.Load(&v) and record.Set(v) work with it,
// and Load reads it with better errors:
//
//		eth2, err := fields.Load[fields.Eth2](node)
//
//	  - Beacon nodes: Eth2, Attnets, Syncnets, CGC, NFD, EProof; CustodyGroups, CustodyColumns.
//	  - Execution nodes: Eth, Snap, LES, Client, OPEL.
//	  - OP Stack: OPStack. Portal: Portal, PortalVersions, ShortClient.
//	  - Waku: Waku2, Multiaddrs, RelayShards, RelayShardsVector, WakuShards for either.
//	  - SSV: DomainType, NextDomainType, SSVSubnets, SSV. Aztec: Aztec, AztecNetwork.
//	  - Addresses: LoadEndpoints, or the types of package enr with Load.
//
// Describe shows every pair of a record, those of unknown keys too; DescribePair shows one.
// Parse reads the text form and says precisely what is wrong with it; Inspect also shows
// records whose signature is not good.
//
// # Goroutines and ownership
//
// Everything here is a pure function or a plain value: no goroutine, clock, I/O or shared
// state. Decoded values own their memory. All functions may be called concurrently.
//
// # Errors
//
// A field that a record does not have is ErrAbsent, one that cannot be decoded a *DecodeError
// with key, class and detail; neither says anything about the other fields. Decoding is
// tolerant where clients in use deviate (leading zeros in counts, elements to come, a list
// wrapped into a string) and strict about lengths. Encoding is exact. enr.Record.Set panics on
// a value that cannot be encoded; the EncodeRLP of each type names those values, and Encode
// returns the error instead.
//
// Records come from strangers. Every Value, String, Name and Error of this package is one line
// of printable ASCII, foreign text quoted. The string fields of Client, ShortClient, Aztec and
// of Field.Key are as they were received; their JSON inside a Field is ASCII.
//
// # Limits
//
// Records have at most 300 bytes (enr.SizeLimit); longer text is refused before it is decoded.
// A list is read up to 300 elements and shown nested up to 4 deep; a peer id above 128 bytes is
// shown as hex. DescribePair takes values of any length, in time proportional to it.
//
// # Specification
//
// EIP-778 for records and addresses, and for each field the document named at its type.
package fields
