package planner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Encode returns the plan as the bytes of a file, in which everything can be seen.
func Encode(p *Plan) ([]byte, error) {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the plan as JSON: %w", err)
	}
	return append(Escape(data), '\n'), nil
}

// Read reads what Encode wrote. Anything else is an error: another format, a file
// that was cut, and one of which a single byte was edited.
func Read(data []byte) (*Plan, error) {
	var head struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("this is not a saved plan: %w. Make one with: ecplan plan --out FILE", err)
	}
	if head.Format != Format {
		return nil, fmt.Errorf("the plan's format is %q, and this ecplan reads %q. Plan again with this version", head.Format, Format)
	}
	p := &Plan{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("the plan can't be read: %w. Plan again", err)
	}
	sealed := *p
	sealed.Tenants = append([]TenantPlan(nil), p.Tenants...)
	sealed.Seal()
	again, err := Encode(&sealed)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, data) {
		return nil, errors.New("the plan was edited after it was made: its content does not fit its checksum. Plan again; a plan is never changed by hand")
	}
	return p, nil
}
