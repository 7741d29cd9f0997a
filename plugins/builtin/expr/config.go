package expr

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/discv5/host/sdk/expr"
	"github.com/discv5/host/sdk/forks"
)

// config is the plugin's config block.
type config struct {
	Expression string        `hcl:"expression" doc:"which records are accepted, such as enr.has(\"eth2\") && fork(\"mainnet\").accepts(enr)"`
	Reason     string        `hcl:"reason,optional" doc:"the reason of every rejection; empty: the field that decided"`
	Schedules  string        `hcl:"schedules,optional" doc:"more networks for fork(): file(\"forks.hcl\"), which a reload reads again, or the absolute path of such a file"`
	Grace      time.Duration `hcl:"grace,optional" doc:"how long before and after a fork both sides of it are accepted"`

	schedules *forks.Schedules // what fork() knows, once Validate has read it
}

var reasonCode = regexp.MustCompile(`^[a-z0-9_]{0,32}$`)

// Validate reads schedules and expression.
func (c *config) Validate() error {
	var errs []error
	if !reasonCode.MatchString(c.Reason) {
		errs = append(errs, fmt.Errorf("reason is %q; it is made of at most 32 of a-z, 0-9 and _", c.Reason))
	}
	if c.Grace < 0 || c.Grace > forks.MaxGrace {
		errs = append(errs, fmt.Errorf("grace is %s; 0 to %s is possible", c.Grace, forks.MaxGrace))
	}
	schedules, err := readSchedules(c.Schedules)
	if err != nil {
		return errors.Join(append(errs, fmt.Errorf("schedules: %w", err))...)
	}
	c.schedules = schedules.WithGrace(c.Grace)
	if _, err := c.compile(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// compile makes a program of the expression.
func (c *config) compile(options ...expr.Option) (*expr.Program, error) {
	p, err := expr.Compile(c.Expression, append(options, expr.WithSchedules(c.schedules))...)
	var mistakes *expr.Error
	if errors.As(err, &mistakes) {
		var errs []error
		for _, m := range mistakes.Problems {
			errs = append(errs, fmt.Errorf("expression:%s", m))
		}
		return nil, errors.Join(errs...)
	}
	return p, err
}

// readSchedules reads the text of a file or its path. A path has no brace and a schedule has one.
func readSchedules(text string) (*forks.Schedules, error) {
	switch {
	case text == "":
		return forks.Default(), nil
	case strings.Contains(text, "{"):
		s, err := forks.Parse("schedules", []byte(text))
		if err != nil {
			return nil, err
		}
		return forks.Default().With(s), nil
	case !filepath.IsAbs(text):
		return nil, fmt.Errorf("the path %q is not absolute; write file(%q), which begins at the folder of the configuration", text, text)
	}
	return forks.Load(text)
}
