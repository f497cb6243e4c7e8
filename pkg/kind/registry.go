package kind

// All returns every kind, by name. A new kind is one file, one schema, one example
// and one line here.
func All() map[string]*Kind {
	out := map[string]*Kind{}
	for _, k := range []*Kind{
		resourceServer(),
		role(),
		client(),
		clientGrant(),
		action(),
		tenantSettings(),
		organization(),
	} {
		out[k.Name] = k
	}
	return out
}
