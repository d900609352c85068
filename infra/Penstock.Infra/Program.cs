using Amazon.CDK;
using Penstock.Infra;

var app = new App();
DeploySettings settings;
try
{
    settings = DeploySettings.Read(name => app.Node.TryGetContext(name) as string);
}
catch (SettingsException e)
{
    Console.Error.WriteLine(e.Message);
    return 2;
}

Deployment.AddTo(app, settings);
app.Synth();
return 0;
