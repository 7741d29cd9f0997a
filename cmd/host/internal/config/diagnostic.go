package config

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// words say what a mistake in the language of the file is, and what to do.
type words struct{ what, advice string }

const (
	settingForm = `a setting is written key = value: text in quotes, a number, true or false, or a list in brackets`
	newLine     = `begin a new line after a setting; a number with a unit goes in quotes`
	blockForm   = `a block is written name { on a line, one setting per line, and } on a line of its own`
)

// openText is hcl's summary for a text that goes on to the next line.
const openText = "Invalid multi-line string"

// ourWords are for hcl's common mistakes, by the summary of its diagnostic. What is missing here keeps hcl's words: those of
// expressions that settings have no use for.
var ourWords = map[string]words{
	"Argument or block definition required": {"neither a setting nor a block", settingForm},
	"Attribute redefined":                   {"the key appears twice", "leave one out"},
	"Duplicate object key":                  {"the key appears twice in this map", "leave one out"},
	"Invalid argument name":                 {"a key in quotes", "write the key without quotes"},
	"Invalid attribute name":                {"not a name", "names are letters, digits, _ and -"},
	"Invalid block definition":              {"this is neither a setting nor the begin of a block", settingForm + "; " + blockForm},
	"Invalid single-argument block definition": {
		"a block on one line that holds more than one setting, or does not end there", blockForm},
	"Missing newline after block definition": {"something follows the block on its line", "begin a new line after }"},
	"Unclosed configuration block":           {"the block is not closed", "write the missing }; look at the blocks inside it too"},
	"Unclosed configuration body":            {"the block is not closed", "write the missing }; look at the blocks inside it too"},
	"Unsupported block type":                 {"no such block", settingForm},
	"Argument definition required":           {"not a setting", settingForm},

	"Invalid expression":                        {"a value is missing or cannot be read", settingForm},
	"Missing expression":                        {"a value is missing", settingForm},
	"Extra characters after expression":         {"something follows the value", newLine},
	"Missing newline after argument":            {"something follows the value", newLine},
	"Invalid number literal":                    {"not a number", "write digits, with a point for a fraction; a number with a unit goes in quotes"},
	"Missing item separator":                    {"a comma is missing in the list", "separate the elements by commas"},
	"Unterminated tuple constructor expression": {"the list is not closed", "write the missing ]"},
	"Missing attribute separator":               {"a comma is missing in the map", "separate the pairs by commas or new lines"},
	"Missing attribute value":                   {"a value is missing in the map", "a map is written { key = value, key = value }"},
	"Missing key/value separator":               {"an equals sign is missing in the map", "a map is written { key = value, key = value }"},
	"Unterminated object constructor expression": {
		"the map is not closed", "write the missing }"},
	"Invalid 'for' expression": {"neither a map nor a list", "settings know no loops; in a map, a key called for goes in quotes"},
	"Unbalanced parentheses":   {"a parenthesis is not closed", "write the missing )"},

	"Invalid string literal":        {"the text cannot be read", `text stands on one line, in double quotes`},
	openText:                        {"the text does not end on its line", `write the closing quote; a new line in a text is \n`},
	"Unterminated string literal":   {"the text is not closed", "write the closing quote"},
	"Unterminated template string":  {"the text is not closed", "write the closing quote"},
	"Invalid escape sequence":       {`not something that may follow a \ in a text`, `write \\ for the character itself; there are \n, \t, \", \uXXXX and \UXXXXXXXX besides`},
	"Invalid character":             {"a character that means nothing here", "comments begin with #, text stands in double quotes"},
	"Invalid character encoding":    {"the file is not UTF-8", "save it as UTF-8; is this the right file?"},
	"Variables not allowed":         {"a word without quotes", "text stands in quotes; settings know no variables of their own, env(\"NAME\") reads one of the environment"},
	"Unknown variable":              {"a word without quotes", "text stands in quotes; settings know no variables of their own, env(\"NAME\") reads one of the environment"},
	"Call to unknown function":      {"no such function", functionsHelp},
	"Function calls not allowed":    {"no functions can be called here", "write the value itself"},
	"Not enough function arguments": {"an argument is missing", functionsHelp},
	"Too many function arguments":   {"too many arguments", functionsHelp},
	"Invalid function argument":     {"not a text", functionsHelp},
	"Missing closing parenthesis":   {"a parenthesis is not closed", "write the missing )"},
	"Unterminated function call":    {"a parenthesis is not closed", "write the missing )"},
	"Missing argument separator":    {"a comma is missing between arguments", functionsHelp},
	"Unclosed template interpolation sequence": {
		"${ in a text is not closed", "write $${ for the characters themselves"},
	"Extra characters after interpolation expression": {
		"${ in a text is not closed", "write $${ for the characters themselves"},
	"Invalid template directive": {"%{ in a text", "write %%{ for the characters themselves"},
}

// inOurWords says what hcl found.
func inOurWords(diag *hcl.Diagnostic) words {
	if w, ok := ourWords[diag.Summary]; ok {
		return w
	}
	return words{lowerFirst(strings.TrimSuffix(diag.Summary, ".")), lowerFirst(strings.TrimSuffix(diag.Detail, "."))}
}
