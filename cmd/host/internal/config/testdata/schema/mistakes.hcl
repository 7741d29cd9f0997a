plugin "talk" "a" {
  source = "builtin:echo"
  config {
    dept     = 3
    name     = 5
    ratio    = "half"
    on       = "yes"
    pause    = "4"
    count    = 1e30
    words    = ["a", 1]
    labels   = { a = true }
    password = [env("SET")]
    limits   = 3
    peer "x" {
    }
    peer {
      adress = "b"
    }
    cache {
      size = 1
    }
    cache {
    }
    ratio {
    }
  }
}
