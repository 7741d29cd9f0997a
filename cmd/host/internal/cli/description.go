package cli

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/daemon"
	"github.com/discv5/host/sdk/pluginpb"
)

// description is what a plugin says about itself, for people and machines.
type description struct {
	Name      string         `json:"name"`
	Version   string         `json:"version"`
	Summary   string         `json:"summary"`
	Services  []string       `json:"services"`
	Exclusive bool           `json:"exclusive"`
	Needs     []string       `json:"needs"`
	Protocols []string       `json:"protocols,omitempty"`
	Stages    []string       `json:"stages,omitempty"`
	Store     []string       `json:"store,omitempty"` // durable, shared, watch
	Config    []configDetail `json:"config"`
}

// configDetail is a key of a config block, or a block in it.
type configDetail struct {
	Name     string          `json:"name"`
	Type     string          `json:"type"`
	Required bool            `json:"required"`
	Default  json.RawMessage `json:"default,omitempty"`
	Secret   bool            `json:"secret,omitempty"`
	Doc      string          `json:"doc,omitempty"`
	Keys     []configDetail  `json:"keys,omitempty"` // of a block
}

func newDescription(d *pluginpb.Description) description {
	about := description{
		Name: d.GetName(), Version: d.GetVersion(), Summary: d.GetSummary(), Services: d.GetServices(), Exclusive: d.GetExclusive(),
		Needs: d.GetNeeds(), Stages: d.GetFilter().GetStages(), Config: details(daemon.Schema(d.GetConfig())),
	}
	for _, p := range d.GetTalk().GetProtocols() {
		about.Protocols = append(about.Protocols, protocolText(p))
	}
	for _, trait := range []struct {
		name string
		has  bool
	}{{"durable", d.GetStore().GetDurable()}, {"shared", d.GetStore().GetShared()}, {"watch", d.GetStore().GetWatch()}} {
		if trait.has {
			about.Store = append(about.Store, trait.name)
		}
	}
	return about
}

// protocolText is a protocol as it stands in a configuration: text, or hex with 0x.
func protocolText(p []byte) string {
	return config.ProtocolText(string(p))
}

func details(s config.Schema) []configDetail {
	all := []configDetail{}
	for _, a := range s.Attributes {
		d := configDetail{Name: a.Name, Type: a.Type.Name(), Required: a.Required, Secret: a.Secret, Doc: a.Doc}
		if json.Valid([]byte(a.Default)) && !a.Secret {
			d.Default = json.RawMessage(a.Default)
		}
		all = append(all, d)
	}
	for _, b := range s.Blocks {
		kind := "block"
		if b.Repeated {
			kind = "blocks"
		}
		all = append(all, configDetail{Name: b.Name, Type: kind, Required: b.Required, Doc: b.Doc, Keys: details(b.Schema)})
	}
	return all
}

// print shows the description as rows.
func (d description) print(w io.Writer) error {
	rows := []row{{"name", d.Name}, {"version", d.Version}, {"summary", d.Summary}, {"serves", strings.Join(d.Services, ", ")}}
	for _, r := range []row{
		{"protocols", strings.Join(d.Protocols, ", ")}, {"stages", strings.Join(d.Stages, ", ")},
		{"store", strings.Join(d.Store, ", ")}, {"needs grants", strings.Join(d.Needs, ", ")},
	} {
		if r.value != "" {
			rows = append(rows, r)
		}
	}
	if d.Exclusive {
		rows = append(rows, row{"exclusive", "the old one ends before a new one starts"})
	}
	if len(d.Config) > 0 {
		rows = append(rows, row{"", ""}, row{"config", ""})
		rows = append(rows, configRows(d.Config, "  ")...)
	}
	return printRows(w, rows)
}

func configRows(all []configDetail, indent string) (rows []row) {
	for _, d := range all {
		value := d.Type
		switch {
		case d.Required:
			value += ", required"
		case len(d.Default) > 0:
			value += ", default " + string(d.Default)
		}
		if d.Secret {
			value += ", secret"
		}
		if d.Doc != "" {
			value += ": " + d.Doc
		}
		rows = append(rows, row{indent + d.Name, value})
		rows = append(rows, configRows(d.Keys, indent+"  ")...)
	}
	return rows
}
