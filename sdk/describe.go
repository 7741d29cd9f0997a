package sdk

import (
	"errors"
	"fmt"
	"slices"

	"github.com/discv5/host/sdk/pluginpb"
)

// Bounds of a description.
const (
	maxName      = 64
	maxSummary   = 256
	maxProtocols = 64
	maxProtocol  = 64
)

var stages = []Stage{StageTable, StageServe, StageDeliver}

// description returns what the host is told about a plugin; the error says everything that is wrong with how it is made.
func description(p Plugin) (*pluginpb.Description, error) {
	c := p.common()
	errs := p.check()
	if n := len(c.info.Name); n == 0 || n > maxName {
		errs = append(errs, fmt.Errorf("Info.Name has %d bytes; it must have 1 to %d", n, maxName))
	}
	if n := len(c.info.Version); n > maxName {
		errs = append(errs, fmt.Errorf("Info.Version has %d bytes; it may have %d", n, maxName))
	}
	if n := len(c.info.Summary); n > maxSummary {
		errs = append(errs, fmt.Errorf("Info.Summary has %d bytes; it may have %d", n, maxSummary))
	}
	for _, need := range c.info.Needs {
		if !slices.Contains(grants, need) {
			errs = append(errs, fmt.Errorf("Info.Needs has %q, which is none of %v", need, grants))
		}
	}
	schema, err := configSchema(c.config)
	if err != nil {
		errs = append(errs, err)
	}
	d := &pluginpb.Description{
		Name:      valid(c.info.Name),
		Version:   valid(c.info.Version),
		Summary:   valid(c.info.Summary),
		Exclusive: c.info.Exclusive,
		Needs:     c.info.Needs,
		Config:    schema,
	}
	errs = append(errs, checkMethods(c.methods)...)
	p.describe(d)
	if len(c.methods) > 0 {
		d.Services = append(d.Services, pluginpb.MethodsService)
	}
	d.Services = append(d.Services, pluginpb.HostService)
	return d, errors.Join(errs...)
}

func (p *TalkPlugin) check() []error {
	var errs []error
	if p.Handler == nil {
		errs = append(errs, errors.New("Handler is nil"))
	}
	if n := len(p.Protocols); n == 0 || n > maxProtocols {
		errs = append(errs, fmt.Errorf("there are %d Protocols; there must be 1 to %d", n, maxProtocols))
	}
	for i, protocol := range p.Protocols {
		if n := len(protocol); n == 0 || n > maxProtocol {
			errs = append(errs, fmt.Errorf("protocol %q has %d bytes; it must have 1 to %d", protocol, n, maxProtocol))
		}
		if slices.Contains(p.Protocols[:i], protocol) {
			errs = append(errs, fmt.Errorf("protocol %q is there twice", protocol))
		}
	}
	if p.MaxInFlight < 0 {
		errs = append(errs, fmt.Errorf("MaxInFlight is %d", p.MaxInFlight))
	}
	return errs
}

func (p *TalkPlugin) describe(d *pluginpb.Description) {
	d.Services = append(d.Services, pluginpb.TalkService)
	d.Talk = &pluginpb.TalkDescription{MaxInFlight: uint32(min(max(p.MaxInFlight, 0), maxInFlight))}
	for _, protocol := range p.Protocols {
		d.Talk.Protocols = append(d.Talk.Protocols, []byte(protocol))
	}
}

func (p *FilterPlugin) check() []error {
	var errs []error
	if p.Filter == nil {
		errs = append(errs, errors.New("Filter is nil"))
	}
	for _, stage := range p.Stages {
		if !slices.Contains(stages, stage) {
			errs = append(errs, fmt.Errorf("Stages has %q, which is none of %v", stage, stages))
		}
	}
	return errs
}

func (p *FilterPlugin) describe(d *pluginpb.Description) {
	d.Services = append(d.Services, pluginpb.FilterService)
	_, unaware := p.Filter.(FilterFunc)
	d.Filter = &pluginpb.FilterDescription{Uniform: p.Uniform || unaware}
	for _, stage := range p.Stages {
		d.Filter.Stages = append(d.Filter.Stages, string(stage))
	}
}

func (p *StorePlugin) check() []error {
	if p.Store == nil {
		return []error{errors.New("Store is nil")}
	}
	return nil
}

func (p *StorePlugin) describe(d *pluginpb.Description) {
	d.Services = append(d.Services, pluginpb.StoreService)
	_, watches := p.Store.(Watcher)
	d.Store = &pluginpb.StoreDescription{Durable: p.Durable, Shared: p.Shared, Watch: watches}
}
