# The schedules that come with the host. A file of the same form adds networks or replaces these.
#
# Forks at blocks count as passed. A fork's epoch begins at genesis_time + epoch × 384 s. Digests and fork hashes are computed;
# where "digest" or "hash" is written too, it must agree.

network "mainnet" {
  # Blocks and times: go-ethereum v1.17.10, params/chainspecs/mainnet.json.
  execution {
    genesis_hash = "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
    fork "homestead" { block = 1150000 }
    fork "dao" { block = 1920000 }
    fork "tangerine-whistle" { block = 2463000 }
    fork "spurious-dragon" { block = 2675000 }
    fork "byzantium" { block = 4370000 }
    fork "petersburg" { block = 7280000 }
    fork "istanbul" { block = 9069000 }
    fork "muir-glacier" { block = 9200000 }
    fork "berlin" { block = 12244000 }
    fork "london" { block = 12965000 }
    fork "arrow-glacier" { block = 13773000 }
    fork "gray-glacier" { block = 15050000 }
    fork "shanghai" { time = 1681338455 }
    fork "cancun" { time = 1710338135 }
    fork "prague" { time = 1746612311 }
    fork "osaka" { time = 1764798551 }
    fork "bpo1" { time = 1765290071 }
    fork "bpo2" { time = 1767747671 }
  }
  # Genesis, versions and epochs to electra: github.com/eth-clients/mainnet, README.md and metadata/config.yaml.
  # Fulu and blobs: the epochs of the times above; the maxima are those of the blobSchedule there.
  consensus {
    genesis_time            = 1606824023
    genesis_validators_root = "0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95"
    fork "phase0" {
      epoch   = 0
      version = "0x00000000"
    }
    fork "altair" {
      epoch   = 74240
      version = "0x01000000"
    }
    fork "bellatrix" {
      epoch   = 144896
      version = "0x02000000"
    }
    fork "capella" {
      epoch   = 194048
      version = "0x03000000"
    }
    fork "deneb" {
      epoch   = 269568
      version = "0x04000000"
    }
    fork "electra" {
      epoch     = 364032
      version   = "0x05000000"
      max_blobs = 9
    }
    fork "fulu" {
      epoch   = 411392
      version = "0x06000000"
    }
    blobs "bpo1" {
      epoch     = 412672
      max_blobs = 15
    }
    blobs "bpo2" {
      epoch     = 419072
      max_blobs = 21
    }
  }
}

network "sepolia" {
  # Blocks and times: go-ethereum v1.17.10, params/chainspecs/sepolia.json.
  execution {
    genesis_hash = "0x25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9"
    fork "paris" { block = 1735371 }
    fork "shanghai" { time = 1677557088 }
    fork "cancun" { time = 1706655072 }
    fork "prague" { time = 1741159776 }
    fork "osaka" { time = 1760427360 }
    fork "bpo1" { time = 1761017184 }
    fork "bpo2" { time = 1761607008 }
    fork "amsterdam" { time = 1791294816 }
  }
  # github.com/eth-clients/sepolia, metadata/README.md and metadata/config.yaml at 00d17b43.
  consensus {
    genesis_time            = 1655733600
    genesis_validators_root = "0xd8ea171f3c94aea21ebc42a1ed61052acf3f9209c00e4efbaaddac09ed9b8078"
    fork "phase0" {
      epoch   = 0
      version = "0x90000069"
    }
    fork "altair" {
      epoch   = 50
      version = "0x90000070"
    }
    fork "bellatrix" {
      epoch   = 100
      version = "0x90000071"
    }
    fork "capella" {
      epoch   = 56832
      version = "0x90000072"
    }
    fork "deneb" {
      epoch   = 132608
      version = "0x90000073"
    }
    fork "electra" {
      epoch     = 222464
      version   = "0x90000074"
      max_blobs = 9
    }
    fork "fulu" {
      epoch   = 272640
      version = "0x90000075"
    }
    blobs "bpo1" {
      epoch     = 274176
      max_blobs = 15
    }
    blobs "bpo2" {
      epoch     = 275712
      max_blobs = 21
    }
    fork "gloas" {
      epoch   = 353024
      version = "0x90000076"
    }
  }
}

network "hoodi" {
  # Times: go-ethereum v1.17.10, params/chainspecs/hoodi.json; amsterdam is that of gloas, which was announced later.
  execution {
    genesis_hash = "0xbbe312868b376a3001692a646dd2d7d1e4406380dfd86b98aa8a34d1557c971b"
    fork "prague" { time = 1742999832 }
    fork "osaka" { time = 1761677592 }
    fork "bpo1" { time = 1762365720 }
    fork "bpo2" { time = 1762955544 }
    fork "amsterdam" { time = 1793036568 }
  }
  # Genesis, versions and epochs to electra: github.com/eth-clients/hoodi, metadata/. Fulu and blobs as for mainnet. Gloas: epoch
  # 132352, 2026-10-26T17:42:48Z, as clients had it in October 2026.
  consensus {
    genesis_time            = 1742213400
    genesis_validators_root = "0x212f13fc4df078b6cb7db228f1c8307566dcecf900867401a92023d7ba99cb5f"
    fork "deneb" {
      epoch   = 0
      version = "0x50000910"
    }
    fork "electra" {
      epoch     = 2048
      version   = "0x60000910"
      max_blobs = 9
    }
    fork "fulu" {
      epoch   = 50688
      version = "0x70000910"
    }
    blobs "bpo1" {
      epoch     = 52480
      max_blobs = 15
    }
    blobs "bpo2" {
      epoch     = 54016
      max_blobs = 21
    }
    fork "gloas" {
      epoch   = 132352
      version = "0x80000910"
    }
  }
}
