using System.Text.Json;

namespace Penstock.Upstream;

/// <summary>What differs between the vendors' chat routes.</summary>
internal interface IVendor
{
    string StreamType => "text/event-stream; charset=utf-8";

    /// <summary>All of an answer is made and billed, also where its caller leaves.</summary>
    bool BillsOn => false;

    /// <summary>What a refusal says in headers.</summary>
    void Mark(VendorRefusal refusal, HttpResponse response)
    {
    }

    /// <summary>Checks the headers, then the body; throws <see cref="VendorRefusal"/>.</summary>
    void Authenticate(HttpRequest request);

    Ask Read(JsonElement body, HttpRequest request);

    VendorRefusal NotJson();

    void AddHeaders(Exchange exchange);

    byte[] Error(VendorRefusal refusal, int number);

    /// <summary>The failure a marker orders, in the vendor's words.</summary>
    VendorRefusal Failure(int status, string model);

    VendorRefusal QuotaSpent(Marker marker);

    byte[] Whole(Ask ask, Answer answer, BilledTokens? usage, Exchange exchange);

    IStreamWriter Stream(Ask ask, Answer answer, BilledTokens? usage, Exchange exchange);
}

/// <summary>Writes one stream's events; each method gives the bytes of one flush.</summary>
internal interface IStreamWriter
{
    byte[] Start();

    byte[] Step(Step step);

    /// <summary>An event the vendor may add any day, that clients must tolerate.</summary>
    byte[] Unknown();

    byte[] Malformed();

    byte[] Error();

    byte[] End();
}
