//go:build !unix

package bolt

import "testing"

func TestMain(m *testing.M) { serveOrTest(m) }
