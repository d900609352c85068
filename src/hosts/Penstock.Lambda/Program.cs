using Microsoft.AspNetCore.Hosting.Server;
using Penstock;
using Penstock.Hosts;
using Penstock.Lambda;
using Penstock.Lambda.Events;
using Penstock.Lambda.Http;
using Penstock.Lambda.Runtime;

// 1 Configuration: appsettings.json, then the environment. Every error is told at once.
var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { Args = args });
builder.Configuration.AddJsonFile(Path.Combine(Environment.CurrentDirectory, "appsettings.json"), optional: true);
builder.Configuration.AddEnvironmentVariables();
LambdaOptions options;
try
{
    options = LambdaOptions.Read(builder.Configuration);
}
catch (RefusedStartException e)
{
    return e.Tell();
}

// 2 What runs: the same parts as a server's, without what works between requests.
using var api = new RuntimeApi(options);
using var output = new JsonLog(TimeProvider.System, Console.OpenStandardOutput());
try
{
    var environment = Parts.ReadEnvironment(builder.Configuration);
    builder.Logging.SetMinimumLevel(LogLevel.Information).AddFilter("Microsoft", LogLevel.Warning).AddProvider(output);
    builder.Services.AddRoutingCore();
    builder.Services.AddParts(environment);
    builder.Services.WithoutBackgroundWork();
    builder.Services.AddSingleton(options);
    builder.Services.AddSingleton(api);
    builder.Services.AddSingleton(output);
    builder.Services.AddSingleton<HttpEvents>();
    builder.Services.AddSingleton<EventDispatch>();
    builder.Services.AddSingleton<Upkeep>();
    builder.Services.AddSingleton<IEventHandler<BusEvent>>(services => services.GetRequiredService<Upkeep>());
    builder.Services.AddSingleton<IEventHandler<QueueMessage>>(services => services.GetRequiredService<Upkeep>());
    builder.Services.AddSingleton<ToolCalls>();
    builder.Services.AddSingleton<InvocationAnswers>();
    builder.Services.AddSingleton<LambdaServer>();
    builder.Services.AddSingleton<IServer>(services => services.GetRequiredService<LambdaServer>());

    // 3 The store is ours to use, the file is in force. A key that is made here would be shown to nobody.
    await using var app = builder.Build();
    await app.OpenAsync(environment, makeKey: false);

    // 4 One event after the other, until Lambda ends the process.
    await app.StartAsync();
    await app.WaitForShutdownAsync();
    return app.Services.GetRequiredService<LambdaServer>().Lost ? 1 : 0;
}
catch (RefusedStartException e)
{
    using var time = new CancellationTokenSource(TimeSpan.FromSeconds(5), TimeProvider.System);
    await api.FailToStartAsync(e.ToString(), time.Token);
    return e.Tell();
}
