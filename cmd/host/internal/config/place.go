package config

import (
	"context"
	"strings"
)

// placeKeys say where a running host is reached.
var placeKeys = []string{"data_dir", "admin", "dev"}

// LoadPlace is Load for those who want to reach a host that runs, and need of its configuration no more than where that is: DataDir and
// Admin. Mistakes elsewhere in files and variables are left to the host, and mistakes counts them; the rest of the configuration is then what can be
// read of it. They are Problems as of Load when one may be about the place itself, when it was made on the command line, or when nobody
// says where the host is but the defaults: a line that is wrong might.
func LoadPlace(ctx context.Context, src Sources) (loaded *Loaded, mistakes int, err error) {
	loaded, problems, err := merge(ctx, src)
	if err != nil {
		return nil, 0, err
	}
	said := false
	for key, from := range loaded.Origins {
		said = said || from.Where != "default" && (key == "data_dir" || key == "admin.socket" || key == "admin.listen")
	}
	if len(problems) > 0 && !said {
		return nil, 0, problems
	}
	for _, p := range problems {
		if p.OnFlags || p.aboutPlace() {
			return nil, 0, problems
		}
	}
	return loaded, len(problems), nil
}

// aboutPlace tells whether a problem may be about one of the placeKeys.
func (p Problem) aboutPlace() bool {
	text := strings.ToLower(p.Where + p.What + p.Source + p.Hint)
	for _, key := range placeKeys {
		if strings.Contains(text, key) {
			return true
		}
	}
	return false
}
