using System.Net.Sockets;
using Penstock.Configuration;
using Penstock.Hosts;
using Penstock.Http;
using Penstock.Server;

if (args is [HealthCheck.Argument]) return await HealthCheck.RunAsync();

try
{
    // 1 Configuration: appsettings.json, then .env, then the environment. Every error is told at once.
    var builder = WebApplication.CreateSlimBuilder([Parts.NoWatch, .. args]);
    builder.Configuration.AddDotEnv(Path.Combine(Environment.CurrentDirectory, ".env"));
    var environment = Parts.ReadEnvironment(builder.Configuration);

    // 2 What runs.
    builder.Host.ConfigureServer(environment);
    builder.WebHost.ConfigureServer(environment);
    builder.WebHost.UseInlineSockets();
    builder.Logging.ConfigureServer();
    builder.Services.AddParts(environment);

    // 3 The store is ours to use, the file is in force, somebody can come in. The order of a request: see ChatPipeline.
    await using var app = builder.Build();
    using var traces = Traces.Start(builder.Configuration);
    var firstKey = await app.OpenAsync(environment);

    // 4 Start, say so, and leave in order: SIGTERM drains.
    app.Lifetime.ApplicationStopping.Register(app.Services.GetRequiredService<Drain>().Start);
    try
    {
        await app.StartAsync();
    }
    catch (Exception e) when (e is IOException or SocketException)
    {
        throw new RefusedStartException("The port cannot be used", [$"PORT {environment.Port}: {e.Message}"]);
    }

    app.Services.GetRequiredService<ConfigFile>().Watch();
    Welcome.Print(app, environment, firstKey);
    await app.WaitForShutdownAsync();
    return 0;
}
catch (RefusedStartException e)
{
    return e.Tell();
}
