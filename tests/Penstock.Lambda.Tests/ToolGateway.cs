using Penstock.Emulators;
using Penstock.LambdaFront;
using Penstock.Upstream;

namespace Penstock.Lambda.Tests;

/// <summary>A gateway whose tools are functions: two real hosts, the gateway's and the tool's, that share tables, and the Invoke API between them.</summary>
public sealed class ToolGateway : Function
{
    private DynamoEmulator _emulator = null!;
    private UpstreamServer _toolUpstream = null!;
    private RuntimeStandIn _toolLambda = null!;
    private DirectoryInfo _folder = null!;

    internal InvokeStandIn Invokes { get; private set; } = null!;

    internal LambdaProcess Tool { get; private set; } = null!;

    /// <summary>The tool's own vendor: the gateway has no part in what it is asked.</summary>
    internal UpstreamServer ToolUpstream => _toolUpstream;

    internal override string Config => """
        { "routing": { "retries": 0, "breaker": "off" },
          "tools": { "functions": {
            "summarize": { "function": "arn:aws:lambda:eu-central-1:123456789012:function:summarize:live" },
            "calculator": { "function": "throttled" }, "search": { "function": "missing" }, "extract": { "function": "crashes" }, "classify": { "function": "down" } } } }
        """;

    internal override IReadOnlyDictionary<string, string?> Environment => Shared().ToDictionary();

    public override async ValueTask InitializeAsync()
    {
        if (!DynamoEmulator.IsForThisMachine) Assert.Skip("The DynamoDB emulator is a program for Linux on x64.");
        _emulator = await DynamoEmulator.StartAsync();
        _toolLambda = await RuntimeStandIn.StartAsync();
        _toolUpstream = await UpstreamServer.StartAsync();
        Invokes = await InvokeStandIn.StartAsync(_toolLambda);
        await base.InitializeAsync();
        _folder = Directory.CreateTempSubdirectory("penstock-tool-");
        Tool = LambdaProcess.Start(_toolLambda.Address, _folder.FullName, Shared().Concat(Reaching(_toolUpstream)).Append(new("PENSTOCK_FUNCTION", "tool:summarize")));
        await Wait.UntilAsync(() => _toolLambda.Asked > 0 || !Tool.Running, TimeSpan.FromSeconds(60), () => string.Join('\n', Tool.Output));
    }

    public override async ValueTask DisposeAsync()
    {
        if (Tool is not null) await Tool.DisposeAsync();
        await base.DisposeAsync();
        if (Invokes is not null) await Invokes.DisposeAsync();
        if (_toolLambda is not null) await _toolLambda.DisposeAsync();
        if (_toolUpstream is not null) await _toolUpstream.DisposeAsync();
        if (_emulator is not null) await _emulator.DisposeAsync();
        _folder?.Delete(recursive: true);
        if (_toolLambda is not null) Assert.Empty(_toolLambda.Breaches);
    }

    internal async Task<InvocationEnd> InvokeToolAsync(string payload) => await _toolLambda.Send(payload).Ended.WaitAsync(TimeSpan.FromSeconds(60), Wait.Token);

    private IEnumerable<KeyValuePair<string, string?>> Shared() =>
    [
        new("PENSTOCK_STORE", "dynamodb"), new("DYNAMODB_ENDPOINT", _emulator.Endpoint.ToString()), new("AWS_REGION", "eu-central-1"),
        new("AWS_ACCESS_KEY_ID", InvokeStandIn.Identity), new("AWS_SECRET_ACCESS_KEY", InvokeStandIn.Secret), new("LAMBDA_ENDPOINT", Invokes.Address),
    ];
}
