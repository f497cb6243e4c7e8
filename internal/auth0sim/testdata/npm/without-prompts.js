// Loaded before the deploy CLI. Its schema of prompts has 8 of the schema's 8.1 MB, and it
// compiles all of it at each import: 17 seconds of CPU and 1.7 GB for a kind of object that
// the simulator does not serve. What it sends and how is the same without.
const schema = require('auth0-deploy-cli/lib/tools/auth0/schema').default;
delete schema.properties.prompts;
