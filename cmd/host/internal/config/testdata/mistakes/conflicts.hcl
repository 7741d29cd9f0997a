plugin "store" "one" {
  source = "builtin:bolt"
}
plugin "store" "off" {
  source  = "builtin:bolt"
  enabled = false
}
plugin "store" "two" {
  source = "./redis"
}
plugin "talk" "a" {
  source    = "builtin:echo"
  protocols = ["echo", "0x01"]
}
plugin "talk" "b" {
  source    = "builtin:echo"
  protocols = ["other", "0x6563686f"]
}
plugin "talk" "quiet" {
  source    = "builtin:echo"
  protocols = ["echo"]
  enabled   = false
}
