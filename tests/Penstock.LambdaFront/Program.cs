using System.Globalization;
using System.Runtime.InteropServices;
using Penstock.Emulators;
using Penstock.LambdaFront;

// Looks like Penstock.Server to whoever starts it, and is a front of AWS before several Lambda processes on one DynamoDB emulator:
//   PENSTOCK_SERVER_DLL=…/Penstock.LambdaFront.dll npm --prefix tests/clients test
//   PENSTOCK_FRONT   FunctionUrl (the default, which streams), HttpApi or Rest
const int Processes = 3;
var kind = Enum.Parse<FrontKind>(Environment.GetEnvironmentVariable("PENSTOCK_FRONT") ?? nameof(FrontKind.FunctionUrl));
var port = int.Parse(Environment.GetEnvironmentVariable("PORT") ?? "0", CultureInfo.InvariantCulture);

await using var emulator = await DynamoEmulator.StartAsync();
await using var lambda = await RuntimeStandIn.StartAsync();
var environment = Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>()
    .Select(pair => new KeyValuePair<string, string?>((string)pair.Key, (string?)pair.Value))
    .Where(pair => pair.Key.StartsWith("PENSTOCK_", StringComparison.Ordinal) || pair.Key.StartsWith("OPENAI_", StringComparison.Ordinal) || pair.Key.StartsWith("ANTHROPIC_", StringComparison.Ordinal))
    .Concat([
        new("PENSTOCK_STORE", "dynamodb"), new("DYNAMODB_ENDPOINT", emulator.Endpoint.ToString()), new("AWS_REGION", "us-east-1"), new("AWS_ACCESS_KEY_ID", "test"), new("AWS_SECRET_ACCESS_KEY", "test"),
        new("PENSTOCK_LAMBDA_RESPONSE", kind == FrontKind.HttpApi ? "buffered" : "stream"),
    ])
    .ToArray();
var functions = new List<LambdaProcess>();
try
{
    // The first one makes the tables; the others come while it answers.
    functions.Add(LambdaProcess.Start(lambda.Address, Environment.CurrentDirectory, environment));
    while (lambda.Asked == 0)
    {
        if (!functions[0].Running) throw new InvalidOperationException($"The function ended:\n{string.Join('\n', functions[0].Output)}");
        await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
    }

    while (functions.Count < Processes) functions.Add(LambdaProcess.Start(lambda.Address, Environment.CurrentDirectory, environment));

    await using var front = await HttpFront.StartAsync(lambda, kind, port);
    var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    using var signal = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
    {
        context.Cancel = true;
        stop.TrySetResult();
    });
    Console.WriteLine($"Penstock is ready on {front.Address}");
    await stop.Task;
}
finally
{
    foreach (var function in functions)
    {
        foreach (var line in function.Output) Console.WriteLine(line);
        await function.DisposeAsync();
    }
}

foreach (var breach in lambda.Breaches) Console.Error.WriteLine($"Runtime API: {breach}");
return lambda.Breaches.IsEmpty ? 0 : 1;
