package expr

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// Reference returns the names of the language with their types and meanings, as tables in Markdown:
// variables, fields of "enr", members of the other types, functions.
func Reference() string {
	var b strings.Builder
	b.WriteString("### Variables\n\n")
	table(&b, "Name", "Type", "Meaning")
	for _, v := range variables {
		line(&b, quoted(v.name), shownType(v.typ), v.doc)
	}
	b.WriteString("\n### Fields of `enr`\n\n")
	table(&b, "Name", "Type", "Meaning")
	for _, m := range enrType.members {
		line(&b, quoted("enr."+m.name), shownType(m.typ), m.doc)
	}
	b.WriteString("\n### Members of other types\n\n")
	table(&b, "Of", "Name", "Type", "Meaning")
	for _, o := range objects {
		if o == enrType {
			continue
		}
		for _, m := range o.members {
			line(&b, shownType(o.typ), quoted("."+m.name), shownType(m.typ), m.doc)
		}
	}
	b.WriteString("\n### Functions\n\n")
	table(&b, "Use", "True if")
	for _, f := range functionDocs {
		line(&b, quoted(f.use), f.doc)
	}
	return b.String()
}

func table(b *strings.Builder, columns ...string) {
	line(b, columns...)
	b.WriteString(strings.Repeat("|---", len(columns)) + "|\n")
}

func line(b *strings.Builder, cells ...string) {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(c, "|", `\|`)
	}
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}

func quoted(s string) string { return "`" + s + "`" }

func shownType(t *types.Type) string { return cel.FormatCELType(t) }
