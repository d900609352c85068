using Penstock;
using Penstock.Configuration;
using Penstock.Http;
using Penstock.Providers;
using Penstock.Server;
using Penstock.Sqlite;
using Penstock.Sqlite.Native;

// 1 Configuration: appsettings.json, then .env, then the environment. Every error is told at once.
var builder = WebApplication.CreateSlimBuilder(args);
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
builder.Logging.ConfigureServer();
builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddPenstock(environment);
builder.Services.AddProviders();
builder.Services.AddConfigFile();
builder.Services.AddSqliteStore(new SqliteOptions { DataFolder = environment.DataFolder });

// 3 The order of a request: see ChatPipeline.
await using var app = builder.Build();
try
{
    app.Services.GetRequiredService<SqliteDatabase>();
    app.MapPenstock();
    app.Services.GetRequiredService<ConfigFile>().Load();
}
catch (ConfigException e)
{
    return Refuse("penstock.json is not valid", e.Errors);
}
catch (Exception e) when (e is DataFolderInUseException or SchemaException or SqliteUnavailableException)
{
    return Refuse("The data folder cannot be used", [e.Message]);
}

// 4 Start, say so, and leave in order: SIGTERM drains.
var firstKey = await app.Services.EnsureOperatorAsync(CancellationToken.None);
app.Lifetime.ApplicationStopping.Register(app.Services.GetRequiredService<Drain>().Start);
await app.StartAsync();
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
