plugin "talk" "a" {
  source        = "builtin:"
  args          = ["-v", 3]
  sha256        = "1234"
  env           = { "1ST" = "x", PATH = 4 }
  grants        = ["self", "pingg", "self", "everything"]
  protocols     = ["a", "0x61", "0x6", ""]
  deadline      = "soon"
  max_in_flight = 0
  max_per_peer  = 1e9
}
plugin "filter" "b" {
  source   = ""
  stages   = ["table", "server"]
  on_error = "rejct"
  order    = 2000000
  deadline = "1h"
  env      = { "A-B" = "x" }
}
plugin "talk" "c" {
  source = "builtin:echo"
  sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
  grants = "self"
}
