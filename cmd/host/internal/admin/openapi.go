package admin

import (
	_ "embed" // the description is part of the program
	"net/http"
)

//go:embed openapi.json
var openAPI []byte

// OpenAPI is the description of the paths, an OpenAPI 3.1 document in JSON.
func OpenAPI() []byte { return append([]byte(nil), openAPI...) }

func (s *Server) showOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI) // whoever went away does not want it
}
