plugin "talk" "a" {
  sorce     = "builtin:echo"
  stages    = ["table"]
  max_queue = "many"
  enabled   = 1
  colour    = "red"
  config    = 3
  args {
  }
}
plugin "filter" "b" {
  source    = 7
  protocols = ["x"]
  order     = 1.5
  config {
    anything = goes[here]
  }
  config {
  }
}
plugin "store" "c" {
  source = "builtin:bolt"
  deadline =
  dry_run = true
}
