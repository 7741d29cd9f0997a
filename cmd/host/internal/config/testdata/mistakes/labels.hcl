plugin "tlak" "echo" {
  source = "builtin:echo"
}
plugin "telnet" "echo" {
}
plugin "talk" {
}
plugin "talk" "Echo Server" {
  source = "builtin:echo"
}
plugin "talk" "a" {
  source = "builtin:echo"
}
plugin "filter" "a" {
  source = "builtin:expr"
}
plugin "talk" "a" {
  source = "builtin:echo"
}
pluign "talk" "b" {
}
