using Penstock.Emulators;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Running;

/// <summary>Two servers on one DynamoDB, and a stand-in behind them.</summary>
public class SharedPlatform : IAsyncLifetime
{
    private readonly List<ServerProcess> _servers = [];
    private readonly List<Api> _admins = [];
    private DynamoEmulator _emulator = null!;

    internal UpstreamServer Upstream { get; private set; } = null!;

    internal Uri Dynamo => _emulator.Endpoint;

    internal IReadOnlyList<ServerProcess> Servers => _servers;

    /// <summary>The operator, at each.</summary>
    internal IReadOnlyList<Api> Admins => _admins;

    internal virtual UpstreamOptions? UpstreamOptions => null;

    internal virtual string? Config => null;

    /// <summary>A client's patience.</summary>
    internal virtual TimeSpan? Patience => null;

    public async ValueTask InitializeAsync()
    {
        if (!DynamoEmulator.IsForThisMachine) Assert.Skip("The DynamoDB emulator is a program for Linux on x64.");
        _emulator = await DynamoEmulator.StartAsync();
        Upstream = await UpstreamServer.StartAsync(UpstreamOptions, Wait.Token);
        var environment = new Dictionary<string, string?>(ServerOptions.Reaching(Upstream))
        {
            ["PENSTOCK_STORE"] = "dynamodb",
            ["DYNAMODB_ENDPOINT"] = _emulator.Endpoint.ToString(),
            ["AWS_ACCESS_KEY_ID"] = "test",
            ["AWS_SECRET_ACCESS_KEY"] = "test",
        };
        var options = new ServerOptions { Environment = environment, Config = Config };
        for (var i = 0; i < 2; i++)
        {
            var server = await ServerProcess.StartAsync(options);
            _servers.Add(server);
            _admins.Add(new Api(server.Address, await ApiContract.OfAsync(server.Address), options.AdminKey, Patience));
        }
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        foreach (var admin in _admins) admin.Dispose();
        foreach (var server in _servers)
        {
            await server.CloseAsync();
            await server.DisposeAsync();
        }

        if (Upstream is not null) await Upstream.DisposeAsync();
        if (_emulator is not null) await _emulator.DisposeAsync();
    }
}
