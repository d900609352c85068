using System.Net.Sockets;
using Penstock;
using Penstock.Configuration;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Providers;
using Penstock.Server;

// 1 Configuration: appsettings.json, then .env, then the environment. Every error is told at once.
var builder = WebApplication.CreateSlimBuilder([ServerSetup.NoWatch, .. args]);
builder.Configuration.AddDotEnv(Path.Combine(Environment.CurrentDirectory, ".env"));
EnvironmentKeys environment;
try
{
    environment = EnvironmentKeys.Read(builder.Configuration);
}
catch (ConfigException e)
{
    return Refuse("The environment is not valid", e.Errors);
}

// 2 What runs.
builder.Host.ConfigureServer(environment);
builder.WebHost.ConfigureServer(environment);
builder.WebHost.UseInlineSockets();
builder.Logging.ConfigureServer();
builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddPenstock(environment);
builder.Services.AddProviders();
builder.Services.AddAws(environment);
builder.Services.AddConfigFile();
builder.Services.AddStore(environment);

// 3 The store is ours to use, the file is in force, somebody can come in. The order of a request: see ChatPipeline.
await using var app = builder.Build();
if (await app.Services.OpenStoreAsync(environment) is { } trouble) return Refuse(trouble.What, [trouble.Why]);

string? firstKey;
try
{
    app.MapPenstock();
    app.Services.GetRequiredService<ConfigFile>().Load();
    firstKey = await app.Services.EnsureOperatorAsync(CancellationToken.None);
}
catch (ConfigException e)
{
    return Refuse("penstock.json is not valid", e.Errors);
}
catch (Exception e) when (e is IOException or UnauthorizedAccessException)
{
    return Refuse("penstock.json cannot be read", [e.Message]);
}
catch (RefusedException e)
{
    return Refuse("The admin key cannot be used", [e.Refusal.Message]);
}

// 4 Start, say so, and leave in order: SIGTERM drains.
app.Lifetime.ApplicationStopping.Register(app.Services.GetRequiredService<Drain>().Start);
try
{
    await app.StartAsync();
}
catch (Exception e) when (e is IOException or SocketException)
{
    return Refuse("The port cannot be used", [$"PORT {environment.Port}: {e.Message}"]);
}

app.Services.GetRequiredService<ConfigFile>().Watch();
Welcome.Print(app, environment, firstKey);
await app.WaitForShutdownAsync();
return 0;

static int Refuse(string what, IReadOnlyList<string> errors)
{
    Console.Error.WriteLine($"{what}:");
    foreach (var error in errors) Console.Error.WriteLine($"  - {error}");
    return 2;
}
