key_file = env("NOT_SET")
data_dir = env()
network  = env("EMPTY", "mainnet", "hoodi")
plugin "talk" "a" {
  source = envv("HOME")
  args   = [file("absent"), file("."), file("binary.dat"), env("HOME", 3)]
  env    = { A = file(null), B = env("SET") }
}
